package top

import (
	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

const clustersExample = `  # What do the members have, and what is free?
  fedctl top clusters

  # For a program
  fedctl top clusters -o json`

func newClustersCommand(f *cmdutil.Factory) *cobra.Command {
	o := newCapacities(f)
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
			return run(cmd.Context(), &o, view.Usage, view.UsageTable, "Nothing is known of the nodes of any cluster; see \"fedctl get clusters\".")
		},
		ValidArgsFunction: fedtypes.CompleteClusters(f),
	}
	o.addFlags(cmd)
	return cmd
}
