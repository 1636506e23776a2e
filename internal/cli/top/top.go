// Package top is the command that shows what members' nodes offer, what is free, and what
// pods use.
//
//	top.go           the command
//	clusters.go      ... a row for each cluster
//	accelerators.go  ... and for each pool of nodes with accelerators
//	pods.go          what pods use, as the members say
//	capacities.go    the ClusterCapacities of the host, with what pods ask for
package top

import (
	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// NewCommand returns the command and its children.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what members' nodes offer, what is free, and what pods use",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newClustersCommand(f), newAcceleratorsCommand(f), newPodsCommand(f))
	return cmd
}
