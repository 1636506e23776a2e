package cmdutil

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfigs names the files in which contexts are looked for.
func (f *Factory) kubeconfigs() string {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.Kubeconfig
	return strings.Join(rules.GetLoadingPrecedence(), ", ")
}

func contextNames(raw *clientcmdapi.Config) string {
	if len(raw.Contexts) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", ")
}

// CompleteContexts completes the names of the kubeconfig's contexts, for flags
// such as --cluster-context.
func (f *Factory) CompleteContexts(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	raw, err := f.RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(raw.Contexts)), cobra.ShellCompDirectiveNoFileComp
}
