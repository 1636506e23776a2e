package top

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

const acceleratorsExample = `  # What accelerators are where, what is free, and behind which taints?
  fedctl top accelerators

  # Those of two clusters, with the most that one node has
  fedctl top accelerators oslo berlin -o wide`

// AcceleratorsOptions are the flags of top accelerators.
type AcceleratorsOptions struct {
	capacities

	Output cmdutil.Output
}

func newAcceleratorsCommand(f *cmdutil.Factory) *cobra.Command {
	o := &AcceleratorsOptions{capacities: capacities{factory: f}, Output: cmdutil.NewOutput(view.Wide, view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "accelerators [CLUSTER...]",
		Aliases: []string{"accelerator", "gpus", "gpu"},
		Short:   "Show members' accelerators, a row for each pool of nodes",
		Long: `Show members' accelerators, a row for each pool: nodes of one cluster that offer the same
resource and product behind the same taints. AVAILABLE are the nodes that are Ready and
neither cordoned nor starting, broken or about to go; ALLOCATABLE is what these offer
together, REQUESTED what their pods ask for, FREE what is left, and LARGEST-FREE the most
that is left on one node. CLOSED-BY names the taints that no policy tolerates unless it
approves them; those that mark the hardware are tolerated where a policy derives
tolerations. It is read from the ClusterCapacities, which the controller keeps up to date
within seconds.

` + requestsHelp,
		Example: acceleratorsExample,
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
func (o *AcceleratorsOptions) Run(ctx context.Context) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	capacities, err := o.read(ctx)
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
