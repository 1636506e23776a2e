package fleetapi

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// terminal opens a terminal of which the spec is the other side.
func terminal() (screen, end *os.File) {
	GinkgoHelper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(screen.Close)
	fd := int(screen.Fd())
	Expect(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)).To(Succeed())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	Expect(err).NotTo(HaveOccurred())
	end, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	Expect(err).NotTo(HaveOccurred())
	return screen, end
}

var _ = Describe("fedctl logs on a terminal", func() {
	It("lets no pod control it", func(ctx SpecContext) {
		admin := administrating(ctx, "logs-terminal")
		deployed(ctx, "hostile", members[0])
		admin.talk(ctx, "member-1", "hostile", 9, "before \x1b]0;title\x07\x1b[2J\u009b1A after")
		screen, end := terminal()
		command := admin.command(ctx, "logs", "deployment/hostile", "-n", "default", "--tail", "1")
		command.Stdout = end
		Expect(command.Run()).To(Succeed())
		Expect(end.Close()).To(Succeed())
		var shown bytes.Buffer
		_, _ = io.Copy(&shown, screen) // its end is an error
		Expect(shown.String()).To(MatchRegexp(`^\x1b\[\d+m\[member-1/hostile-\S+\]\x1b\[0m before `))
		Expect(shown.String()).To(HaveSuffix(`before \x1b]0;title\x07\x1b[2J\u009b1A after` + "\r\n"))
	}, NodeTimeout(3*time.Minute))
})
