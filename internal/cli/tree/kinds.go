package tree

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	fedctlv1alpha1 "github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
	"github.com/fedctl/fedctl/pkg/workload"
)

// besides are the kinds that objects own beside workloads and pods.
var besides = []schema.GroupKind{
	{Kind: "PersistentVolumeClaim"}, {Kind: "Service"}, {Kind: "ConfigMap"}, {Kind: "ServiceAccount"},
	{Group: "discovery.k8s.io", Kind: "EndpointSlice"}, {Group: "resource.k8s.io", Kind: "ResourceClaim"},
	{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}, {Group: "policy", Kind: "PodDisruptionBudget"},
	{Group: "networking.k8s.io", Kind: "Ingress"},
}

// resource is one that is looked at in a member.
type resource struct {
	schema.GroupVersionResource
	schema.GroupKind
}

// looked are the resources of a member in which what an object of a kind owns is looked for.
// What a member says it serves in part is looked at in part.
func looked(discoverer discovery.DiscoveryInterface, kinds *workload.Kinds, of schema.GroupKind) ([]resource, error) {
	lists, err := discovery.ServerPreferredNamespacedResources(discoverer)
	if len(lists) == 0 && err != nil {
		return nil, err
	}
	var found []resource
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue // a name that nothing can be asked by
		}
		for i := range list.APIResources {
			r := &list.APIResources[i]
			kind := gv.WithKind(r.Kind).GroupKind()
			if !slices.Contains(r.Verbs, "list") || kind.Kind == "Event" || kind.Kind == "Secret" && kind.Group == "" {
				continue
			}
			if kinds.Has(kind) || slices.Contains(besides, kind) || kind.Group != "" && kind.Group == of.Group {
				found = append(found, resource{gv.WithResource(r.Name), kind})
			}
		}
	}
	return found, nil
}

// readKinds reads what the host's WorkloadKinds say; one that does not compile says nothing.
func readKinds(ctx context.Context, f *cmdutil.Factory) (kinds []*workload.Kind, err error) {
	host, err := f.HostClient()
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(fedctlv1alpha1.GroupVersion.WithKind("WorkloadKindList"))
	if err := host.List(ctx, list); meta.IsNoMatchError(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("listing WorkloadKinds: %w", err)
	}
	for i := range list.Items {
		read := &fedctlv1alpha1.WorkloadKind{}
		if runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, read) != nil {
			continue
		}
		if kind, err := workload.Compile(&read.Spec); err == nil {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}
