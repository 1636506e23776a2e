package framework

import (
	"context"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
)

// remote is an environment of clusters that somebody else has set up.
type remote struct {
	kubeconfig string
	host       *Cluster
	members    []*Cluster
}

func fromKubeconfig(path, host string, members []string) (Environment, error) {
	if host == "" || len(members) < 2 {
		return nil, fmt.Errorf("$%s must be followed by $%s, a context, and $%s, two or more contexts separated by commas", KubeconfigEnv, HostEnv, MembersEnv)
	}
	r := &remote{kubeconfig: path}
	for i, name := range append([]string{host}, members...) {
		config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
			&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, &clientcmd.ConfigOverrides{CurrentContext: name}).ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("context %q of %s: %w", name, path, err)
		}
		cluster, err := newCluster(name, config)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			r.host = cluster
		} else {
			r.members = append(r.members, cluster)
		}
	}
	return r, nil
}

func (r *remote) Host() *Cluster              { return r.host }
func (r *remote) Members() []*Cluster         { return r.members }
func (r *remote) Kubeconfig() string          { return r.kubeconfig }
func (r *remote) Faults() Faults              { return containers() }
func (r *remote) Installed() bool             { return true }
func (r *remote) Close(context.Context) error { return nil }
