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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
)

const clustersExample = `  # List the members
  fedctl get clusters

  # With their endpoints and the messages of their conditions
  fedctl get clusters -o wide`

// ClustersOptions are the flags of get clusters.
type ClustersOptions struct {
	factory *cmdutil.Factory
	print   *genericclioptions.PrintFlags

	Names     []string
	Selector  string
	NoHeaders bool
}

func newClustersCommand(f *cmdutil.Factory) *cobra.Command {
	o := &ClustersOptions{
		factory: f,
		print:   genericclioptions.NewPrintFlags("").WithTypeSetter(cmdutil.Scheme),
	}
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
	output := ""
	o.print.OutputFormat = &output
	flags.StringVarP(&output, "output", "o", "", "Output format: wide, json, yaml or name.")
	flags.StringVarP(&o.Selector, "selector", "l", "", "Only clusters whose labels match, such as region=eu.")
	flags.BoolVar(&o.NoHeaders, "no-headers", false, "Do not print the line of headers.")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"wide", "json", "yaml", "name"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// Run lists and prints.
func (o *ClustersOptions) Run(ctx context.Context) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	clusters, err := o.list(ctx)
	if err != nil {
		return err
	}
	if len(clusters) == 0 && o.isTable() {
		_, err := fmt.Fprintf(o.factory.ErrOut, "No clusters have joined the control plane in namespace %s.\n", o.factory.KubeFedNamespace)
		return err
	}
	if *o.print.OutputFormat == "name" { // its printer takes no lists
		for i := range clusters {
			if err := printer.PrintObj(&clusters[i], o.factory.Out); err != nil {
				return err
			}
		}
		return nil
	}
	return printer.PrintObj(o.printable(clusters), o.factory.Out)
}

func (o *ClustersOptions) isTable() bool {
	return *o.print.OutputFormat == "" || *o.print.OutputFormat == "wide"
}

func (o *ClustersOptions) printer() (printers.ResourcePrinter, error) {
	if o.isTable() {
		return printers.NewTablePrinter(printers.PrintOptions{Wide: *o.print.OutputFormat == "wide", NoHeaders: o.NoHeaders}), nil
	}
	printer, err := o.print.ToPrinter()
	if err != nil {
		return nil, fmt.Errorf("output format %q is not one of wide, json, yaml, name", *o.print.OutputFormat)
	}
	return printer, nil
}

// printable is a table, the one object that was named, or a list.
func (o *ClustersOptions) printable(clusters []fedcorev1beta1.KubeFedCluster) runtime.Object {
	switch {
	case o.isTable():
		return clusterTable(clusters, time.Now())
	case len(o.Names) == 1:
		return &clusters[0]
	default:
		return &fedcorev1beta1.KubeFedClusterList{Items: clusters}
	}
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
		return nil, fmt.Errorf("the host cluster has no control plane: run \"fedctl install\" there first")
	} else if err != nil {
		return nil, fmt.Errorf("listing KubeFedClusters: %w", err)
	}
	for i := range list.Items {
		list.Items[i].SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"))
		list.Items[i].ManagedFields = nil
	}
	clusters := list.Items
	slices.SortFunc(clusters, func(a, b fedcorev1beta1.KubeFedCluster) int { return strings.Compare(a.Name, b.Name) })
	return o.named(clusters)
}

func (o *ClustersOptions) named(clusters []fedcorev1beta1.KubeFedCluster) ([]fedcorev1beta1.KubeFedCluster, error) {
	if len(o.Names) == 0 {
		return clusters, nil
	}
	for _, name := range o.Names {
		if !slices.ContainsFunc(clusters, func(c fedcorev1beta1.KubeFedCluster) bool { return c.Name == name }) {
			return nil, fmt.Errorf("cluster %s has not joined the control plane in namespace %s", name, o.factory.KubeFedNamespace)
		}
	}
	return slices.DeleteFunc(clusters, func(c fedcorev1beta1.KubeFedCluster) bool { return !slices.Contains(o.Names, c.Name) }), nil
}
