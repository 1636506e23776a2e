package fleetapi

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
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
})
