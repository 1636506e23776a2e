package settings

import (
	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// ControlPlane says of which control plane the program is part, and as what.
type ControlPlane struct {
	Kubeconfig        string
	Context           string
	KubeFedNamespace  string
	KubeFedConfigFile string
	// WaitForKubeFedConfig has the program wait at its start until the KubeFedConfig is
	// there: an installation may create it after the controller.
	WaitForKubeFedConfig bool
	Mode                 string
	Scope                string
}

// The values of ControlPlane.Mode.
const (
	ModeHost     = "host"
	ModeMember   = "member"
	ModeFleetAPI = "fleet-api"
)

const (
	scopeCluster    = "Cluster"
	scopeNamespaced = "Namespaced"
)

// AddFlags implements Group.
func (s *ControlPlane) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&s.KubeFedConfigFile, "kubefed-config", "", "File with a KubeFedConfig; by default the object kubefed in the KubeFed namespace.")
	flags.BoolVar(&s.WaitForKubeFedConfig, "wait-for-kubefed-config", false, "Wait at the start until the KubeFedConfig is in the host cluster, instead of starting without one.")
	flags.StringVar(&s.Kubeconfig, "kubeconfig", "", "Kubeconfig of the host cluster; by default the Pod's own service account, else $KUBECONFIG, else ~/.kube/config.")
	flags.StringVar(&s.Context, "context", "", "Context of the host cluster in the kubeconfig; by default the current one.")
	flags.StringVar(&s.KubeFedNamespace, "kubefed-namespace", kubefedconfig.DefaultNamespace, "Namespace of the control plane in the host cluster.")
	flags.StringVar(&s.Mode, "mode", ModeHost, "host, for the control plane; member, to execute this cluster's own backups and nothing else; or fleet-api, to serve the API of the fleet in the host.")
	flags.StringVar(&s.Scope, "scope", scopeCluster, "Cluster, or Namespaced: the KubeFed namespace is then the only one that is federated.")
}

// Validate implements Group.
func (s *ControlPlane) Validate() error {
	var p problems
	p.unless(s.KubeFedNamespace != "", "kubefed-namespace must not be empty")
	p.oneOf("mode", s.Mode, ModeHost, ModeMember, ModeFleetAPI)
	p.oneOf("scope", s.Scope, scopeCluster, scopeNamespaced)
	return p.join()
}

// TargetNamespace is the only namespace that is federated; empty means all.
func (s *ControlPlane) TargetNamespace() string {
	if s.Scope == scopeNamespaced {
		return s.KubeFedNamespace
	}
	return ""
}
