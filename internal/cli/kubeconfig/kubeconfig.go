// Package kubeconfig is the command that makes a kubeconfig in which each member cluster
// is reached through the host.
package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/cli/members"
	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
)

const (
	long = `Print a kubeconfig with a context for each member cluster, through the host.

The server of each is a path in the host's API server, and the user is the one of the
host's context: nothing of a member is in it, and no other login is needed. kubectl,
helm, k9s and everything else that reads a kubeconfig works with it. The contexts are
called HOST/CLUSTER, after that of the host. With no CLUSTER it has all that you may see.

It takes the API of the fleet in the host (fedctl install --fleet-api), and members
that let users of the host in (fedctl join --fleet-access).`

	example = `  # All members
  fedctl kubeconfig > fleet.yaml
  kubectl --kubeconfig fleet.yaml --context host/member-1 get pods

  # Add two of them to your kubeconfig
  fedctl kubeconfig member-1 member-2 --merge`
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Names []string
	Merge bool
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f}
	cmd := &cobra.Command{
		Use:               "kubeconfig [CLUSTER...]",
		Short:             "Print a kubeconfig with the member clusters, through the host",
		Long:              long,
		Example:           example,
		ValidArgsFunction: fedtypes.CompleteClusters(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			return o.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&o.Merge, "merge", false, "Add the contexts to your kubeconfig instead of printing one; the current context stays, and so does what is called the same and leads elsewhere, with an error.")
	return cmd
}

// Run prints or merges.
func (o *Options) Run(ctx context.Context) error {
	names, err := o.clusters(ctx)
	if err != nil {
		return err
	}
	host, err := o.factory.HostThrough()
	if err != nil {
		return err
	}
	config := through(host, names)
	if o.Merge {
		return o.merge(config)
	}
	text, err := selfContained(config)
	if err != nil {
		return err
	}
	_, err = o.factory.Out.Write(text)
	return err
}

// clusters are the names asked for, or all that the user may see. Whoever may not list
// members may know the name of one all the same.
func (o *Options) clusters(ctx context.Context) ([]string, error) {
	host, err := o.factory.HostClient()
	if err != nil {
		return nil, err
	}
	list := &fleetv1alpha1.ClusterList{}
	err = host.List(ctx, list)
	switch {
	case meta.IsNoMatchError(err):
		return nil, members.ErrNoFleetAPI
	case apierrors.IsForbidden(err) && len(o.Names) > 0:
		return o.Names, nil
	case err != nil:
		return nil, fmt.Errorf("listing the clusters of the fleet: %w", err)
	}
	var all []string
	for i := range list.Items {
		all = append(all, list.Items[i].Name)
	}
	slices.Sort(all)
	for _, name := range o.Names {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("cluster %s has not joined; see \"fedctl get clusters\"", name)
		}
	}
	if len(o.Names) > 0 {
		return o.Names, nil
	}
	if len(all) == 0 {
		return nil, errors.New("no clusters have joined")
	}
	return all, nil
}

// through is a kubeconfig with a context for each cluster, and the user of the host's.
func through(host *cmdutil.HostThrough, names []string) *clientcmdapi.Config {
	config := clientcmdapi.NewConfig()
	if host.User != nil {
		config.AuthInfos[host.AuthInfo] = host.User.DeepCopy()
	}
	for _, name := range names {
		entry := host.Context + "/" + name
		cluster := host.Cluster.DeepCopy()
		cluster.Server = host.Server(name)
		cluster.LocationOfOrigin = ""
		config.Clusters[entry] = cluster
		config.Contexts[entry] = &clientcmdapi.Context{Cluster: entry, AuthInfo: host.AuthInfo}
	}
	if len(names) == 1 {
		config.CurrentContext = host.Context + "/" + names[0]
	}
	return config
}

// selfContained has the content of files in place of their names.
func selfContained(config *clientcmdapi.Config) ([]byte, error) {
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return nil, fmt.Errorf("reading the certificates of the kubeconfig: %w", err)
	}
	return clientcmd.Write(*config)
}

// merge adds the contexts to the user's kubeconfig, whose user they name.
func (o *Options) merge(add *clientcmdapi.Config) error {
	access := clientcmd.NewDefaultPathOptions()
	if o.factory.Kubeconfig != "" {
		access.LoadingRules.ExplicitPath = o.factory.Kubeconfig
	}
	config, err := access.GetStartingConfig()
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	verbs, err := mergeInto(config, add)
	if err != nil {
		return err
	}
	if err := clientcmd.ModifyConfig(access, *config, true); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(verbs)) {
		_, _ = fmt.Fprintf(o.factory.Out, "context %s %s\n", name, verbs[name])
	}
	return nil
}

// mergeInto adds clusters and contexts to a kubeconfig and tells what has become of each
// context. What is there by their names and leads elsewhere, or as somebody else, is the
// user's: nothing is changed then, and the error names it.
func mergeInto(config, add *clientcmdapi.Config) (verbs map[string]string, err error) {
	for _, name := range slices.Sorted(maps.Keys(add.Clusters)) {
		if there := config.Clusters[name]; there != nil && there.Server != add.Clusters[name].Server {
			return nil, fmt.Errorf("the kubeconfig has another cluster %q, at %s: rename it, or print a kubeconfig without --merge", name, errtext.Address(there.Server))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(add.Contexts)) {
		there, entry := config.Contexts[name], add.Contexts[name]
		if there != nil && (there.Cluster != entry.Cluster || there.AuthInfo != entry.AuthInfo) {
			return nil, fmt.Errorf("the kubeconfig has another context %q, to cluster %q as user %q: rename it (kubectl config rename-context), or print a kubeconfig without --merge", name, there.Cluster, there.AuthInfo)
		}
	}
	for name, cluster := range add.Clusters {
		if there := config.Clusters[name]; there != nil {
			cluster.LocationOfOrigin, cluster.Extensions = there.LocationOfOrigin, there.Extensions
		}
		config.Clusters[name] = cluster
	}
	verbs = map[string]string{}
	for name, entry := range add.Contexts {
		verbs[name] = "up to date" // its namespace is the user's
		if config.Contexts[name] == nil {
			config.Contexts[name], verbs[name] = entry, "added"
		}
	}
	return verbs, nil
}
