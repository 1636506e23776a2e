// Package cli assembles fedctl's command tree. Each command lives in a folder
// of its own; this package only lists them.
package cli

import (
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/disable"
	"github.com/fedctl/fedctl/internal/cli/enable"
	"github.com/fedctl/fedctl/internal/cli/federate"
	"github.com/fedctl/fedctl/internal/cli/get"
	"github.com/fedctl/fedctl/internal/cli/install"
	"github.com/fedctl/fedctl/internal/cli/join"
	"github.com/fedctl/fedctl/internal/cli/local"
	"github.com/fedctl/fedctl/internal/cli/migrate"
	"github.com/fedctl/fedctl/internal/cli/orphaning"
	"github.com/fedctl/fedctl/internal/cli/status"
	"github.com/fedctl/fedctl/internal/cli/unjoin"
	"github.com/fedctl/fedctl/internal/cli/version"
)

// NewCommand returns the command tree. name is how the program was called:
// fedctl, or "kubectl fed" when kubectl runs it as its plugin.
func NewCommand(name string, streams genericiooptions.IOStreams) *cobra.Command {
	factory := cmdutil.NewFactory(streams)
	root := &cobra.Command{
		Use:   name,
		Short: "Federate Kubernetes resources over several clusters",
		Long: `fedctl joins member clusters to a host cluster, enables the federation of types,
and answers what is where and why. The controller in the host cluster does the
work; fedctl needs only kubeconfig contexts.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	factory.AddHostFlags(root.PersistentFlags())
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.AddCommand(get.NewCommand(factory), join.NewCommand(factory), local.NewCommand(factory), unjoin.NewCommand(factory))
	root.AddCommand(disable.NewCommand(factory), enable.NewCommand(factory), install.NewCommand(factory), version.NewCommand(factory))
	root.AddCommand(federate.NewCommand(factory), orphaning.NewCommand(factory), status.NewCommand(factory))
	root.AddCommand(migrate.NewCommand(factory))
	return root
}
