package enable

import (
	"slices"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// completeVersions completes the versions in which the host serves the type.
func completeVersions(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		host, err := fedtypes.NewHost(f.ForCompletion())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		target, err := enablement.LookupTarget(host.Discovery, args[0], "")
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		_, lists, _ := host.Discovery.ServerGroupsAndResources() // what one broken group hides is not completed
		var versions []string
		for _, list := range lists {
			gv, err := schema.ParseGroupVersion(list.GroupVersion)
			if err != nil || gv.Group != target.Group {
				continue
			}
			if slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == target.Name }) {
				versions = append(versions, gv.Version)
			}
		}
		return versions, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeTargets completes the types of the host cluster that can be federated.
func completeTargets(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		host, err := fedtypes.NewHost(f.ForCompletion())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		lists, _ := host.Discovery.ServerPreferredResources() // what one broken group hides is not completed
		names := enablement.Federable(lists)
		slices.Sort(names)
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
