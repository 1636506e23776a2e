package status

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/fedtypes"
)

func (o *Options) registerCompletions(cmd *cobra.Command) {
	cmd.ValidArgsFunction = o.completeArgs
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(o.factory))
}

// completeArgs completes types, names after a type, and names after "type/".
func (o *Options) completeArgs(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := fedtypes.CompletionContext(cmd)
	defer cancel()
	typeName, _, hasSlash := strings.Cut(toComplete, "/")
	switch {
	case hasSlash:
		names := o.names(ctx, typeName)
		for i := range names {
			names[i] = typeName + "/" + names[i]
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	case len(args) == 0:
		return fedtypes.CompleteTypes(ctx, o.factory), cobra.ShellCompDirectiveNoFileComp
	case strings.Contains(args[0], "/"):
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := slices.DeleteFunc(o.names(ctx, args[0]), func(name string) bool { return slices.Contains(args[1:], name) })
	return names, cobra.ShellCompDirectiveNoFileComp
}

// names are those of the objects of a type in the chosen namespace.
func (o *Options) names(ctx context.Context, typeName string) []string {
	return fedtypes.CompleteNames(ctx, o.factory, fedtypes.Names{
		Type: typeName, Namespace: o.Namespace, AllNamespaces: o.AllNamespaces, Selector: o.Selector,
	})
}
