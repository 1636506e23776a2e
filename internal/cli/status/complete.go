package status

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
)

// Completion must not hang a shell.
const completionTimeout = 5 * time.Second

func (o *Options) registerCompletions(cmd *cobra.Command) {
	cmd.ValidArgsFunction = o.completeArgs
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputFormats, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("namespace", o.completeNamespaces)
}

// completeArgs completes types, names after a type, and names after "type/".
func (o *Options) completeArgs(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(contextOf(cmd), completionTimeout)
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
		return o.typeWords(ctx), cobra.ShellCompDirectiveNoFileComp
	case strings.Contains(args[0], "/"):
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := slices.DeleteFunc(o.names(ctx, args[0]), func(name string) bool { return slices.Contains(args[1:], name) })
	return names, cobra.ShellCompDirectiveNoFileComp
}

// typeWords are the plurals of the targets; with their group where two types share one.
func (o *Options) typeWords(ctx context.Context) []string {
	host, err := o.factory.HostClient()
	if err != nil {
		return nil
	}
	types, err := readTypes(ctx, host, o.factory)
	if err != nil {
		return nil
	}
	byPlural := map[string][]string{}
	for _, t := range types {
		byPlural[t.Target.GVR.Resource] = append(byPlural[t.Target.GVR.Resource], t.Name)
	}
	var words []string
	for _, plural := range slices.Sorted(maps.Keys(byPlural)) {
		if names := byPlural[plural]; len(names) > 1 {
			words = append(words, names...)
		} else {
			words = append(words, plural)
		}
	}
	return words
}

// names are those of the objects of a type in the chosen namespace.
func (o *Options) names(ctx context.Context, typeName string) []string {
	if o.Complete([]string{typeName}) != nil {
		return nil
	}
	s, err := newSource(ctx, o)
	if err != nil {
		return nil
	}
	rows, _ := s.list(ctx)
	var names []string
	for i := range rows {
		names = append(names, rows[i].Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (o *Options) completeNamespaces(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(contextOf(cmd), completionTimeout)
	defer cancel()
	host, err := o.factory.HostClient()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var list corev1.NamespaceList
	if err := host.List(ctx, &list); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// contextOf is the command's context; completion runs without one in some shells.
func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}
