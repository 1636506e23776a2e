package federate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/pager"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// contents are the objects in the namespace that can be federated, a batch for
// each type, sorted by type and name; and what is left out.
func (s *source) contents(ctx context.Context, namespace string) ([]batch, leftOut, error) {
	if s.served.err != nil {
		s.opts.warn("the host cluster's list of types is incomplete, so something may be missing: %v", s.served.err)
	}
	targets, unknown := s.contentTypes()
	for _, name := range unknown {
		s.opts.warn("--skip-api-resources: %q is no type in a namespace of the host cluster, and no group", name)
	}
	batches := make([]batch, len(targets))
	found := make([][]unstructured.Unstructured, len(targets))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range targets {
		var err error
		if batches[i], err = s.batchFor(targets[i]); err != nil {
			return nil, nil, err
		}
		group.Go(func() (err error) {
			found[i], err = s.list(groupCtx, batches[i].typ, namespace)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	var left leftOut
	for i := range batches {
		for j := range found[i] {
			u := &found[i][j]
			if why := refuseContent(u, s.opts.factory.KubeFedNamespace); why != "" {
				left.add(batches[i].typ.Name, u.GetName(), why)
				continue
			}
			batches[i].objects = append(batches[i].objects, federatedObject(batches[i].typ, u, federate.Strip(u)))
		}
	}
	return slices.DeleteFunc(batches, func(b batch) bool { return len(b.objects) == 0 }), left, nil
}

// contentTypes are the types to look into, sorted, and those names of
// --skip-api-resources that mean nothing.
func (s *source) contentTypes() (targets []metav1.APIResource, unknown []string) {
	used := map[string]bool{}
	for _, list := range s.served.lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, resource := range list.APIResources {
			resource.Group, resource.Version = gv.Group, gv.Version
			if !resource.Namespaced || strings.Contains(resource.Name, "/") {
				continue
			}
			skip := false
			for _, name := range s.opts.Skip {
				if skips(name, resource) {
					skip, used[name] = true, true
				}
			}
			if !skip && s.mayHoldContent(resource) {
				targets = append(targets, resource)
			}
		}
	}
	slices.SortFunc(targets, func(a, b metav1.APIResource) int { return strings.Compare(resourceName(a), resourceName(b)) })
	for _, name := range s.opts.Skip {
		if !used[name] {
			unknown = append(unknown, name)
		}
	}
	return targets, unknown
}

// mayHoldContent leaves out types of which no object can be federated. Pods are
// looked at nevertheless, because one that nothing controls is worth a line.
func (s *source) mayHoldContent(resource metav1.APIResource) bool {
	gk := schema.GroupKind{Group: resource.Group, Kind: resource.Kind}
	if gk == podKind {
		return true
	}
	// Group extensions, long gone, served objects of other groups once more.
	if resource.Group == "extensions" || refuseKind(gk) != "" || s.isFederated(schema.GroupResource{Group: resource.Group, Resource: resource.Name}) {
		return false
	}
	_, err := enablement.LookupTarget(s.served, resourceName(resource), "")
	return err == nil
}

// completeContentTypes completes the types of which there may be objects in a namespace.
func completeContentTypes(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		host, err := fedtypes.NewHost(f.ForCompletion())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		s := &source{opts: &Options{}}
		s.served.lists, s.served.err = host.Discovery.ServerPreferredResources()
		targets, _ := s.contentTypes()
		names := make([]string, len(targets))
		for i := range targets {
			names[i] = resourceName(targets[i])
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// skips says whether a name given to --skip-api-resources means the resource.
func skips(name string, resource metav1.APIResource) bool {
	name = strings.ToLower(name)
	return name != "" && (name == resource.Group || name == resource.Name || name == resource.SingularName ||
		name == strings.ToLower(resource.Kind) || name == resource.Name+"."+resource.Group || slices.Contains(resource.ShortNames, name))
}

func resourceName(resource metav1.APIResource) string {
	return schema.GroupResource{Group: resource.Group, Resource: resource.Name}.String()
}

func (s *source) list(ctx context.Context, t typeconfig.Type, namespace string) ([]unstructured.Unstructured, error) {
	resource := s.dynamic.Resource(t.Target.GVR).Namespace(namespace)
	pages := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) { return resource.List(ctx, options) }))
	var found []unstructured.Unstructured
	err := pages.EachListItem(ctx, metav1.ListOptions{}, func(item runtime.Object) error {
		if u, ok := item.(*unstructured.Unstructured); ok {
			found = append(found, *u)
		}
		return nil
	})
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err):
		return nil, nil // served no more, or not for reading
	case err != nil:
		return nil, fmt.Errorf("listing %s in namespace %s: %w; leave them out with --skip-api-resources %s", t.Name, namespace, err, t.Name)
	}
	return found, nil
}
