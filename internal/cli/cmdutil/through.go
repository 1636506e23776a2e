package cmdutil

import (
	"fmt"
	"strings"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

// HostThrough is the host's context in the kubeconfig, as the way to the members: a path in
// the host's API server leads to each.
type HostThrough struct {
	// Context is its name, AuthInfo that of its user, and User who that is; nil if nothing says.
	Context, AuthInfo string
	User              *clientcmdapi.AuthInfo
	// Cluster is the host. It is not to be modified.
	Cluster *clientcmdapi.Cluster
}

// HostThrough finds it.
func (f *Factory) HostThrough() (*HostThrough, error) {
	raw, err := f.RawConfig()
	if err != nil {
		return nil, err
	}
	name, err := f.HostContext()
	if err != nil {
		return nil, err
	}
	from := raw.Contexts[name]
	if from == nil || raw.Clusters[from.Cluster] == nil {
		return nil, fmt.Errorf("context %q of the kubeconfig names no cluster: set --host-cluster-context", name)
	}
	return &HostThrough{Context: name, AuthInfo: from.AuthInfo, User: raw.AuthInfos[from.AuthInfo], Cluster: raw.Clusters[from.Cluster]}, nil
}

// Server is the address of a member.
func (h *HostThrough) Server(member string) string {
	return strings.TrimSuffix(h.Cluster.Server, "/") + fleetv1alpha1.ProxyPath(member)
}
