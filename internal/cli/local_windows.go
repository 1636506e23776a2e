package cli

import (
	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// localCommands are none: what runs control planes as processes needs Unix.
func localCommands(*cmdutil.Factory) []*cobra.Command { return nil }
