package top

import (
	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

const acceleratorsExample = `  # What accelerators are where, what is free, and behind which taints?
  fedctl top accelerators

  # Those of two clusters, with the most that one node has
  fedctl top accelerators oslo berlin -o wide`

func newAcceleratorsCommand(f *cmdutil.Factory) *cobra.Command {
	o := newCapacities(f)
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
			return run(cmd.Context(), &o, view.Pools, view.PoolTable, "No accelerators are known in these clusters; see \"fedctl get clusters\".")
		},
		ValidArgsFunction: fedtypes.CompleteClusters(f),
	}
	o.addFlags(cmd)
	return cmd
}
