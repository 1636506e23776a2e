package fedtypes

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Completion must not hang a shell.
const completionTimeout = 5 * time.Second

// CompletionContext bounds a completion. Some shells run it without a context.
func CompletionContext(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return context.WithTimeout(ctx, completionTimeout)
}

// CompleteTypes returns the plurals of the enabled types' targets; with their
// group where two types share one. It is empty when there is no answer.
func CompleteTypes(ctx context.Context, f *cmdutil.Factory) []string {
	host, err := f.ForCompletion().HostClient()
	if err != nil {
		return nil
	}
	types, err := List(ctx, host, f)
	if err != nil {
		return nil
	}
	return words(types)
}

func words(types []typeconfig.Type) []string {
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

// Names says which objects' names to complete.
type Names struct {
	// Type is the type as the user wrote it.
	Type string
	// Namespace is where namespaced objects are looked for. Empty means that of the
	// context, unless AllNamespaces is set.
	Namespace     string
	AllNamespaces bool
	Selector      string
	// Targets completes the objects that could be federated, not those that are.
	Targets bool
}

// CompleteNames returns names of objects in the host cluster, sorted. It is empty
// when there is no answer.
func CompleteNames(ctx context.Context, f *cmdutil.Factory, in Names) []string {
	config, err := f.ForCompletion().HostConfig()
	if err != nil {
		return nil
	}
	host, err := f.ForCompletion().HostClient()
	if err != nil {
		return nil
	}
	types, err := List(ctx, host, f)
	if err != nil {
		return nil
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil
	}
	t, err := Resolver{Types: types, ShortNames: DiscoveredShortNames(discoverer)}.Resolve(in.Type)
	if err != nil {
		return nil
	}
	lister, err := metadata.NewForConfig(config)
	if err != nil {
		return nil
	}
	resource := t.Federated
	if in.Targets {
		resource = t.Target
	}
	list, err := lister.Resource(resource.GVR).Namespace(in.namespace(f, t, resource)).List(ctx, metav1.ListOptions{LabelSelector: in.Selector})
	if err != nil {
		return nil
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// namespace is where to list; empty for all. A FederatedNamespace is in the
// namespace that it is named after, so without a choice all are of interest.
func (in Names) namespace(f *cmdutil.Factory, t typeconfig.Type, resource typeconfig.Resource) string {
	switch {
	case !resource.Namespaced || in.AllNamespaces:
		return ""
	case in.Namespace != "" || t.IsNamespace:
		return in.Namespace
	}
	namespace, err := ContextNamespace(f)
	if err != nil {
		return "default"
	}
	return namespace
}

// CompleteNamespaces completes --namespace.
func CompleteNamespaces(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := CompletionContext(cmd)
		defer cancel()
		host, err := f.ForCompletion().HostClient()
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
}

// CompleteTypeAndName completes the arguments of a command that takes TYPE NAME.
// in is called at completion time, when flags are known; its Type is set here.
func CompleteTypeAndName(f *cmdutil.Factory, in func() Names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := CompletionContext(cmd)
		defer cancel()
		switch len(args) {
		case 0:
			return CompleteTypes(ctx, f), cobra.ShellCompDirectiveNoFileComp
		case 1:
			names := in()
			names.Type = args[0]
			return CompleteNames(ctx, f, names), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// CompleteClusters completes the names of the joined clusters, as many as are given.
func CompleteClusters(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := CompletionContext(cmd)
		defer cancel()
		host, err := f.ForCompletion().HostClient()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var list fedcorev1beta1.KubeFedClusterList
		if err := host.List(ctx, &list, client.InNamespace(f.KubeFedNamespace)); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for i := range list.Items {
			if !slices.Contains(args, list.Items[i].Name) {
				names = append(names, list.Items[i].Name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// First completes only the first argument.
func First(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, word)
	}
}

// CompleteTypeNames completes the names of the enabled types, those of their
// FederatedTypeConfigs.
func CompleteTypeNames(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := CompletionContext(cmd)
		defer cancel()
		host, err := f.ForCompletion().HostClient()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		types, err := List(ctx, host, f)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return strings.Split(typeNames(types), ", "), cobra.ShellCompDirectiveNoFileComp
	}
}
