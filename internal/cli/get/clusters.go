package get

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

const clustersExample = `  # List the members
  fedctl get clusters

  # With their endpoints and the messages of their conditions
  fedctl get clusters -o wide`

// ClustersOptions are the flags of get clusters.
type ClustersOptions struct {
	factory *cmdutil.Factory

	Output    cmdutil.Output
	Names     []string
	Selector  string
	NoHeaders bool
}

func newClustersCommand(f *cmdutil.Factory) *cobra.Command {
	o := &ClustersOptions{factory: f, Output: cmdutil.NewOutput(cmdutil.TableFormats...)}
	cmd := &cobra.Command{
		Use:     "clusters [NAME...]",
		Aliases: []string{"cluster", "kubefedclusters", "kfc"},
		Short:   "List member clusters and how they fare",
		Long: `List member clusters and how they fare.

READY and REASON are those of the Ready condition, which the controller keeps up to
date; NODES and ACCELERATORS (allocatable, over all nodes) follow within minutes. A
dash is something that is not known.`,
		Example: clustersExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: fedtypes.CompleteClusters(f),
	}
	flags := cmd.Flags()
	o.Output.AddFlag(cmd, "Output format")
	flags.StringVarP(&o.Selector, "selector", "l", "", "Only clusters whose labels match, such as region=eu.")
	flags.BoolVar(&o.NoHeaders, "no-headers", false, "Do not print the line of headers.")
	return cmd
}

// Run lists and prints.
func (o *ClustersOptions) Run(ctx context.Context) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	clusters, err := o.list(ctx)
	if err != nil {
		return err
	}
	if host, err := o.factory.HostClient(); err == nil {
		o.factory.NoteLeaderless(ctx, host)
	}
	printer := o.Output.Printer(o.factory)
	printer.NoHeaders = o.NoHeaders
	if printer.ShowsTable() && len(clusters) == 0 {
		_, err := fmt.Fprintf(o.factory.ErrOut, "No clusters have joined the control plane in namespace %s.\n", o.factory.KubeFedNamespace)
		return err
	}
	switch {
	case printer.ShowsTable():
		return printer.PrintTable(view.ClusterTable(view.Clusters(clusters), time.Now()))
	case o.Output.Format == view.Name: // its printer takes no lists
		for i := range clusters {
			if err := printer.PrintObject(&clusters[i]); err != nil {
				return err
			}
		}
		return nil
	case len(o.Names) == 1:
		return printer.PrintObject(&clusters[0])
	}
	list := &fedcorev1beta1.KubeFedClusterList{Items: clusters}
	list.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedClusterList"))
	return printer.PrintObject(list)
}

// list returns the clusters asked for, sorted by name.
func (o *ClustersOptions) list(ctx context.Context) ([]fedcorev1beta1.KubeFedCluster, error) {
	selector, err := labels.Parse(o.Selector)
	if err != nil {
		return nil, fmt.Errorf("--selector %q: %w", o.Selector, err)
	}
	host, err := o.factory.HostClient()
	if err != nil {
		return nil, err
	}
	var list fedcorev1beta1.KubeFedClusterList
	err = host.List(ctx, &list, client.InNamespace(o.factory.KubeFedNamespace), client.MatchingLabelsSelector{Selector: selector})
	if meta.IsNoMatchError(err) {
		return nil, fedtypes.ErrNoControlPlane
	} else if err != nil {
		return nil, fmt.Errorf("listing KubeFedClusters: %w", err)
	}
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"))
		list.Items[i].ManagedFields = nil
	}
	clusters := append([]fedcorev1beta1.KubeFedCluster{}, list.Items...) // an empty list is [], not null
	slices.SortFunc(clusters, func(a, b fedcorev1beta1.KubeFedCluster) int { return strings.Compare(a.Name, b.Name) })
	return o.named(clusters)
}

func (o *ClustersOptions) named(clusters []fedcorev1beta1.KubeFedCluster) ([]fedcorev1beta1.KubeFedCluster, error) {
	if len(o.Names) == 0 {
		return clusters, nil
	}
	for _, name := range o.Names {
		if !slices.ContainsFunc(clusters, func(c fedcorev1beta1.KubeFedCluster) bool { return c.Name == name }) {
			return nil, fmt.Errorf("cluster %s has not joined the control plane in namespace %s; see \"fedctl get clusters\"", name, o.factory.KubeFedNamespace)
		}
	}
	return slices.DeleteFunc(clusters, func(c fedcorev1beta1.KubeFedCluster) bool { return !slices.Contains(o.Names, c.Name) }), nil
}
