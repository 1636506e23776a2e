package fleetapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// writeLog writes a line into the log of the pods of a member, as a command there.
func writeLog(ctx context.Context, config *rest.Config, member, pod, line string) {
	GinkgoHelper()
	out, err := kubectl(ctx, config, member, "exec", pod, "--", "sh", "-c", `echo "$(date -u +%Y-%m-%dT%H:%M:%S.000000000Z) stdout F $1" >>logs/pods.log`, "log", line)
	Expect(err).NotTo(HaveOccurred(), out)
}

// text is a writer that may be read meanwhile.
type text struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write implements io.Writer.
func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buffer.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buffer.String()
}

// attachers attach to a pod by each protocol.
var attachers = map[string]func(*rest.Config, *url.URL) (remotecommand.Executor, error){
	"WebSocket": func(c *rest.Config, u *url.URL) (remotecommand.Executor, error) {
		return remotecommand.NewWebSocketExecutor(c, http.MethodGet, u.String())
	},
	"SPDY": func(c *rest.Config, u *url.URL) (remotecommand.Executor, error) {
		return remotecommand.NewSPDYExecutor(c, http.MethodPost, u)
	},
}

var _ = Describe("Through to a pod", func() {
	It("attaches, and sees what it says from then on", func(ctx SpecContext) {
		admin := administrator(ctx, "jane")
		running(ctx, members[0], "talking")
		for protocol, attacher := range attachers {
			config := through(admin, "member-1")
			to := clientOf(config).CoreV1().RESTClient().Get().Resource("pods").Namespace("default").Name("talking").SubResource("attach").
				VersionedParams(&corev1.PodAttachOptions{Stdout: true, Stderr: true}, scheme.ParameterCodec).URL()
			executor, err := attacher(config, to)
			Expect(err).NotTo(HaveOccurred())
			attached, leave := context.WithCancel(ctx)
			var said text
			ended := make(chan error, 1)
			go func() {
				ended <- executor.StreamWithContext(attached, remotecommand.StreamOptions{Stdout: &said, Stderr: GinkgoWriter})
			}()
			Eventually(ctx, func() string { // what was said before it was attached is not heard
				writeLog(ctx, admin, "member-1", "talking", "heard by "+protocol)
				return said.String()
			}).Should(ContainSubstring("heard by "+protocol), protocol)
			leave()
			Eventually(ctx, ended).Should(Receive(MatchError(context.Canceled)))
		}
	}, NodeTimeout(5*time.Minute))

	It("copies files, there and back", func(ctx SpecContext) {
		admin := administrator(ctx, "karl")
		running(ctx, members[1], "disk")
		// kwok never closes the input of a command, so tar does not see the end there: what it is
		// sent is to be so many of its records, and the command is ended when all has arrived.
		const record, around = 10 << 10, 3 * 512 // around a file are its header and the archive's end
		content := make([]byte, 300*record-around)
		_, err := rand.Read(content)
		Expect(err).NotTo(HaveOccurred())
		same := func(read []byte) bool { return bytes.Equal(read, content) }
		for _, websockets := range []string{"true", "false"} {
			GinkgoT().Setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
			here, there := GinkgoT().TempDir(), GinkgoT().TempDir() // commands in pods run on this machine
			Expect(os.WriteFile(filepath.Join(here, "sent"), content, 0o600)).To(Succeed())
			sending, arrived := context.WithCancel(ctx)
			ended := make(chan struct{})
			go func() {
				defer GinkgoRecover()
				defer close(ended)
				_, _ = kubectl(sending, admin, "member-2", "cp", filepath.Join(here, "sent"), "disk:"+filepath.Join(there, "arrived"))
			}()
			Eventually(ctx, func() ([]byte, error) { return os.ReadFile(filepath.Join(there, "arrived")) }).Should(Satisfy(same), "websockets: "+websockets)
			arrived()
			Eventually(ctx, ended).Should(BeClosed())
			out, err := kubectl(ctx, admin, "member-2", "cp", "disk:"+filepath.Join(there, "arrived"), filepath.Join(here, "back"))
			Expect(err).NotTo(HaveOccurred(), out)
			Expect(os.ReadFile(filepath.Join(here, "back"))).To(Satisfy(same))
		}
	}, NodeTimeout(5*time.Minute))
})
