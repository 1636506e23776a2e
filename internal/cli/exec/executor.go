package exec

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	kubectlexec "k8s.io/kubectl/pkg/cmd/exec"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/polymorphichelpers"
	"k8s.io/kubectl/pkg/scheme"

	"github.com/fedctl/fedctl/internal/cli/members"
)

// executor is kubectl's (WebSocket, or SPDY where that is refused), which ends with the
// command's context: kubectl's own code gives it none.
type executor struct {
	ctx context.Context //nolint:containedctx // that of the command
	by  kubectlexec.DefaultRemoteExecutor
}

// Execute implements kubectl's RemoteExecutor.
func (e *executor) Execute(to *url.URL, config *rest.Config, stdin io.Reader, stdout, stderr io.Writer, tty bool, sizes remotecommand.TerminalSizeQueue) error {
	return e.by.ExecuteWithContext(e.ctx, to, config, stdin, stdout, stderr, tty, sizes)
}

// ExecuteWithContext implements kubectl's RemoteExecutor.
func (e *executor) ExecuteWithContext(ctx context.Context, to *url.URL, config *rest.Config, stdin io.Reader, stdout, stderr io.Writer, tty bool, sizes remotecommand.TerminalSizeQueue) error {
	return e.by.ExecuteWithContext(ctx, to, config, stdin, stdout, stderr, tty, sizes)
}

// prepare is kubectl's Complete without a command line. What is asked before the command runs
// ends with ctx.
func (o *Options) prepare(ctx context.Context, run *kubectlexec.ExecOptions, m members.Member, picked func(pod string)) error {
	asking := rest.CopyConfig(m.Config)
	asking.Wrap(func(to http.RoundTripper) http.RoundTripper { return members.Bound(ctx, to) })
	getter := members.Getter(asking, o.Namespace)
	run.Builder = kubectlutil.NewFactory(getter).NewBuilder
	run.ExecutablePodFn = func(_ genericclioptions.RESTClientGetter, object runtime.Object, timeout time.Duration) (*corev1.Pod, error) {
		pod, err := polymorphichelpers.AttachablePodForObjectFn(getter, object, timeout)
		if err == nil {
			picked(pod.Name)
		}
		return pod, err
	}
	run.GetPodTimeout = o.PodTimeout
	run.Config = rest.CopyConfig(m.Streams)
	run.Config.GroupVersion, run.Config.APIPath = &corev1.SchemeGroupVersion, "/api"
	run.Config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	return run.Validate()
}
