package backup

import (
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
)

// complete completes names of objects in the cluster that the command works in; of
// those in namespaces, the ones in the namespace of -n.
func (t *target) complete(list client.ObjectList) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, err := newClient(t.factory.ForCompletion(), t.context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completeNames(cmd, c, list, t.Namespace), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFederated completes the names of FederatedBackups.
func completeFederated(f *cmdutil.Factory, namespace *string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		c, err := f.ForCompletion().HostClient()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(federatedBackups)
		return completeNames(cmd, c, list, *namespace), cobra.ShellCompDirectiveNoFileComp
	}
}

func completeNames(cmd *cobra.Command, c client.Client, list client.ObjectList, namespace string) []string {
	ctx, cancel := fedtypes.CompletionContext(cmd)
	defer cancel()
	if err := c.List(ctx, list, inNamespace(c, list, namespace)...); err != nil {
		return nil
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil
	}
	var names []string
	for _, item := range items {
		if object, err := meta.Accessor(item); err == nil {
			names = append(names, object.GetName())
		}
	}
	slices.Sort(names)
	return names
}

// inNamespace narrows a list to a namespace, if its objects have one.
func inNamespace(c client.Client, list client.ObjectList, namespace string) []client.ListOption {
	if namespaced, err := c.IsObjectNamespaced(list); err != nil || !namespaced {
		return nil
	}
	return []client.ListOption{client.InNamespace(namespace)}
}
