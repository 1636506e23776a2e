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
		Short: "List member clusters",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newClustersCommand(f))
	return cmd
}
