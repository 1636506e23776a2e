package kubefed

import (
	"os"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// kubeFedProcess is KubeFed's controller-manager.
type kubeFedProcess struct {
	*framework.Process
}

// startKubeFed runs KubeFed's controller-manager against the host.
func startKubeFed() *kubeFedProcess {
	GinkgoHelper()
	process, err := framework.StartKubeFed(system)
	Expect(err).NotTo(HaveOccurred())
	p := &kubeFedProcess{process}
	DeferCleanup(func() { p.stop() })
	return p
}

// stop ends the process; it may have ended already.
func (p *kubeFedProcess) stop() {
	GinkgoHelper()
	Expect(p.Signal(syscall.SIGTERM)).To(Succeed())
	select {
	case <-p.Exited():
		return
	case <-time.After(10 * time.Second):
		Expect(p.Kill()).To(Succeed())
	}
}

// report shows the end of the log with a spec that failed.
func (p *kubeFedProcess) report() {
	content, err := os.ReadFile(p.LogPath)
	if err != nil {
		content = []byte(err.Error())
	}
	lines := strings.Split(string(content), "\n")
	AddReportEntry("End of KubeFed's log", strings.Join(lines[max(0, len(lines)-40):], "\n"), ReportEntryVisibilityFailureOrVerbose)
}
