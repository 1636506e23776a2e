// Package top is the command that shows what members' nodes offer.
package top

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// NewCommand returns the command and its children.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what members' nodes offer",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newAcceleratorsCommand(f))
	return cmd
}

const acceleratorsExample = `  # What accelerators are where, and behind which taints?
  fedctl top accelerators

  # Those of two clusters, with all their taints
  fedctl top accelerators oslo berlin -o wide`

// AcceleratorsOptions are the flags of top accelerators.
type AcceleratorsOptions struct {
	factory *cmdutil.Factory
	Output  cmdutil.Output
	Names   []string
}

func newAcceleratorsCommand(f *cmdutil.Factory) *cobra.Command {
	o := &AcceleratorsOptions{factory: f, Output: cmdutil.NewOutput(view.Wide, view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "accelerators [CLUSTER...]",
		Aliases: []string{"accelerator", "gpus", "gpu"},
		Short:   "Show members' accelerators, a row for each pool of nodes",
		Long: `Show members' accelerators, a row for each pool: nodes of one cluster that offer the same
resource and product behind the same taints. AVAILABLE are the nodes that are Ready and
neither cordoned nor starting, broken or about to go; ALLOCATABLE is what these offer
together, LARGEST the most that one node has. CLOSED-BY names the taints that no policy
tolerates unless it approves them; those that mark the hardware are tolerated where a
policy derives tolerations. It is read from the ClusterCapacities, which the controller
keeps up to date within seconds.`,
		Example: acceleratorsExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: fedtypes.CompleteClusters(f),
	}
	o.Output.AddFlag(cmd, "Output format")
	return cmd
}

// Run reads and prints.
func (o *AcceleratorsOptions) Run(ctx context.Context) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	capacities, err := o.list(ctx)
	if err != nil {
		return err
	}
	rows := view.Pools(capacities)
	printer := o.Output.Printer(o.factory)
	if o.Output.Format == view.JSON || o.Output.Format == view.YAML {
		return printer.PrintDocument(map[string]any{"items": rows})
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(o.factory.ErrOut, "No accelerators are known in these clusters; see \"fedctl get clusters\".")
		return err
	}
	return printer.PrintTable(view.PoolTable(rows))
}

func (o *AcceleratorsOptions) list(ctx context.Context) ([]v1alpha1.ClusterCapacity, error) {
	host, err := o.factory.HostClient()
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClusterCapacityList"))
	err = host.List(ctx, list, client.InNamespace(o.factory.KubeFedNamespace))
	if meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("the host cluster has no ClusterCapacities: run \"fedctl install\" again, which brings them")
	} else if err != nil {
		return nil, fmt.Errorf("listing ClusterCapacities: %w", err)
	}
	o.factory.NoteLeaderless(ctx, host)
	var capacities []v1alpha1.ClusterCapacity
	for i := range list.Items {
		read, err := accelerator.ReadCapacity(&list.Items[i])
		if err != nil {
			return nil, fmt.Errorf("ClusterCapacity %s: %w", list.Items[i].GetName(), err)
		}
		if len(o.Names) == 0 || slices.Contains(o.Names, read.Name) {
			capacities = append(capacities, *read)
		}
	}
	for _, name := range o.Names {
		if !slices.ContainsFunc(capacities, func(c v1alpha1.ClusterCapacity) bool { return c.Name == name }) {
			return nil, fmt.Errorf("nothing is known of the nodes of cluster %s; see \"fedctl get clusters\"", name)
		}
	}
	return capacities, nil
}
