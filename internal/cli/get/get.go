// Package get is the command that lists what the host cluster knows.
package get

import (
	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// NewCommand returns the command and its children.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get",
		Short: "List member clusters, and what decides about objects",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newClustersCommand(f), newFactsCommand(f))
	return cmd
}
