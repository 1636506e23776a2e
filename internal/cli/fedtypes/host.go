package fedtypes

import (
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/rollups"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// NewHost returns the host cluster as enabling and disabling types need it.
func NewHost(f *cmdutil.Factory) (*enablement.Host, error) {
	config, err := f.HostConfig()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: cmdutil.Scheme})
	if err != nil {
		return nil, err
	}
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &enablement.Host{Client: c, Discovery: discoveryClient, Namespace: f.KubeFedNamespace, Rollups: rollups.Schemas(), Out: f.Out, Notes: f.ErrOut}, nil
}
