//go:build unix

package cli

import (
	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/local"
)

// localCommands run clusters on this machine.
func localCommands(f *cmdutil.Factory) []*cobra.Command {
	return []*cobra.Command{local.NewCommand(f)}
}
