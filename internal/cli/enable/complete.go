package enable

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// completeTargets completes the types of the host cluster that can be federated.
func completeTargets(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		host, err := NewHost(f)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		lists, _ := host.Discovery.ServerPreferredResources() // what one broken group hides is not completed
		names := typeconfig.Federable(lists)
		slices.Sort(names)
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
