package local

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
)

func newDown(f *cmdutil.Factory, dir *dirFlag) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the local clusters and remove their data",
		Long: `Ends every process of the local clusters and removes their data. It also cleans
up after a start that was broken off, and may be repeated.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := dir.path()
			if err != nil {
				return err
			}
			if err := localcluster.Down(cmd.Context(), path); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(f.Out, "No local clusters are left in %s.\n", path)
			return nil
		},
	}
}
