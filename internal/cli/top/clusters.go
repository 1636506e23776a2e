package top

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

const clustersExample = `  # What do the members have, and what is free?
  fedctl top clusters

  # For a program
  fedctl top clusters -o json`

// ClustersOptions are the flags of top clusters.
type ClustersOptions struct {
	capacities

	Output cmdutil.Output
}

func newClustersCommand(f *cmdutil.Factory) *cobra.Command {
	o := &ClustersOptions{capacities: capacities{factory: f}, Output: cmdutil.NewOutput(view.Wide, view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "clusters [CLUSTER...]",
		Aliases: []string{"cluster"},
		Short:   "Show what members' nodes offer together, and what is free",
		Long: `Show what members' nodes offer together, and what is free. READY are the nodes that are
Ready and not cordoned. What is offered and free is of the nodes that take pods, whatever
other taints they have: a pod may need tolerations for it, and finds what is free on many
nodes on none of them alone. "fedctl top accelerators" tells nodes apart.

` + requestsHelp,
		Example: clustersExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: fedtypes.CompleteClusters(f),
	}
	o.Output.AddFlag(cmd, "Output format")
	o.addFlags(cmd.Flags())
	return cmd
}

// Run reads and prints.
func (o *ClustersOptions) Run(ctx context.Context) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	capacities, err := o.read(ctx)
	if err != nil {
		return err
	}
	rows := view.Usage(capacities)
	printer := o.Output.Printer(o.factory)
	if o.Output.Format == view.JSON || o.Output.Format == view.YAML {
		return printer.PrintDocument(map[string]any{"items": rows})
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(o.factory.ErrOut, "Nothing is known of the nodes of any cluster; see \"fedctl get clusters\".")
		return err
	}
	return printer.PrintTable(view.UsageTable(rows))
}
