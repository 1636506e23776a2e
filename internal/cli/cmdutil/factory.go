// Package cmdutil holds what every fedctl command shares: the flags that find
// the host cluster and the member clusters, and the clients made from
// them. It knows no command; the commands import it.
package cmdutil

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1alpha1 "sigs.k8s.io/kubefed/pkg/apis/core/v1alpha1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// DefaultKubeFedNamespace is the host namespace of the control plane, KubeFed's.
const DefaultKubeFedNamespace = kubefedconfig.DefaultNamespace

// Factory finds clusters the way every command does and makes clients for them.
// The zero value is not usable; call NewFactory.
type Factory struct {
	genericiooptions.IOStreams

	// Kubeconfig is the path of the kubeconfig; empty means KUBECONFIG, then ~/.kube/config.
	Kubeconfig string
	// HostClusterContext names the context of the host cluster; empty means the current one.
	HostClusterContext string
	// KubeFedNamespace is the namespace of the control plane in the host cluster.
	KubeFedNamespace string

	// patience is how long a cluster may take to answer a request.
	patience time.Duration
}

// A shell that completes a word waits for the answer.
const (
	usualPatience      = 30 * time.Second
	completionPatience = 3 * time.Second
)

// ForCompletion returns a factory whose clients give up soon.
func (f *Factory) ForCompletion() *Factory {
	hasty := *f
	hasty.patience = completionPatience
	return &hasty
}

// NewFactory returns a factory that writes to streams.
func NewFactory(streams genericiooptions.IOStreams) *Factory {
	return &Factory{IOStreams: streams, KubeFedNamespace: DefaultKubeFedNamespace, patience: usualPatience}
}

// AddHostFlags adds kubefedctl's flags that say which host cluster is meant.
func (f *Factory) AddHostFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.Kubeconfig, "kubeconfig", f.Kubeconfig, "Path to the kubeconfig file to use; by default $KUBECONFIG, then ~/.kube/config.")
	flags.StringVar(&f.HostClusterContext, "host-cluster-context", f.HostClusterContext, "Context of the host cluster in the kubeconfig; by default the current context.")
	// kubectl's own name for the same thing, so that habits work.
	flags.StringVar(&f.HostClusterContext, "context", f.HostClusterContext, "Same as --host-cluster-context.")
	flags.StringVar(&f.KubeFedNamespace, "kubefed-namespace", f.KubeFedNamespace, "Namespace of the control plane in the host cluster.")
}

// HostConfig returns the client configuration of the host cluster.
func (f *Factory) HostConfig() (*rest.Config, error) {
	return f.ConfigFor(f.HostClusterContext)
}

// HostContext returns the name of the host cluster's context: the one that was
// chosen, else the current one, which may be empty.
func (f *Factory) HostContext() (string, error) {
	if f.HostClusterContext != "" {
		return f.HostClusterContext, nil
	}
	raw, err := f.RawConfig()
	if err != nil {
		return "", err
	}
	return raw.CurrentContext, nil
}

// ConfigFor returns the client configuration of a kubeconfig context; empty
// means the current context. The error names the context and the contexts there are.
func (f *Factory) ConfigFor(context string) (*rest.Config, error) {
	raw, err := f.RawConfig()
	if err != nil {
		return nil, err
	}
	if len(raw.Contexts) == 0 {
		return nil, fmt.Errorf("no kubeconfig with a context was found in %s: set --kubeconfig or KUBECONFIG", f.kubeconfigs())
	}
	if context == "" {
		context = raw.CurrentContext
	}
	if context == "" {
		return nil, fmt.Errorf("no context chosen and the kubeconfig has no current one: set --host-cluster-context (contexts: %s)", contextNames(raw))
	}
	if _, ok := raw.Contexts[context]; !ok {
		return nil, fmt.Errorf("context %q does not exist in the kubeconfig (contexts: %s)", context, contextNames(raw))
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*raw, context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("context %q: %w", context, err)
	}
	config.UserAgent = "fedctl"
	config.QPS, config.Burst = -1, -1
	config.Timeout = f.patience
	return config, nil
}

// RawConfig returns the merged kubeconfig.
func (f *Factory) RawConfig() (*clientcmdapi.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.Kubeconfig
	raw, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return raw, nil
}

// HostClient returns a client of the host cluster that knows the types of Scheme.
func (f *Factory) HostClient() (client.Client, error) {
	config, err := f.HostConfig()
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: Scheme})
}

// Scheme holds Kubernetes' types, CustomResourceDefinitions, KubeFed's types, the fleet's and ClusterCapacities.
var Scheme = newScheme()

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme,
		apiextensionsv1.AddToScheme,
		fedcorev1beta1.AddToScheme,
		fedcorev1alpha1.AddToScheme,
		fedschedulingv1alpha1.AddToScheme,
		fleetv1alpha1.AddToScheme,
		clusterv1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err) // a type registered twice: a mistake of the program, seen at its first start
		}
	}
	return scheme
}
