package manifests

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/serverapply"
)

// ClusterWide builds the objects without a namespace that a control plane in
// namespace consists of, whatever its scope: its own, and those that all control
// planes of a cluster share. Definitions are in neither: with them their objects
// would go. The Namespace itself is not either, nor what FleetAPIRouting has.
func ClusterWide(namespace string) (own, shared []*unstructured.Unstructured, err error) {
	ours, err := clusterWide(namespace)
	if err != nil {
		return nil, nil, err
	}
	theirs, err := clusterWide(namespace + "-other")
	if err != nil {
		return nil, nil, err
	}
	common := map[string]bool{}
	for _, object := range theirs {
		common[serverapply.Describe(object)] = true
	}
	for _, object := range ours {
		if common[serverapply.Describe(object)] {
			shared = append(shared, object)
		} else {
			own = append(own, object)
		}
	}
	return own, shared, nil
}

// Within builds the objects in namespace that a control plane there consists of, whatever
// its scope.
func Within(namespace string) ([]*unstructured.Unstructured, error) {
	return inAllScopes(namespace, func(object *unstructured.Unstructured) bool { return object.GetNamespace() == namespace })
}

func clusterWide(namespace string) ([]*unstructured.Unstructured, error) {
	return inAllScopes(namespace, func(object *unstructured.Unstructured) bool {
		return object.GetNamespace() == "" && !apart[object.GetKind()]
	})
}

// apart are the kinds without a namespace that are dealt with by themselves.
var apart = map[string]bool{"CustomResourceDefinition": true, "Namespace": true, "APIService": true}

// inAllScopes builds what is wanted of a control plane of any scope, and of earlier versions.
func inAllScopes(namespace string, wanted func(*unstructured.Unstructured) bool) ([]*unstructured.Unstructured, error) {
	var all, list []*unstructured.Unstructured
	for _, scope := range Scopes {
		objects, err := Build(Options{Namespace: namespace, Scope: scope})
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	fleet, err := FleetAPI(Options{Namespace: namespace}, FleetAPIOptions{})
	if err != nil {
		return nil, err
	}
	all = append(all, fleet...)
	seen := map[string]bool{}
	for _, object := range append(all, Obsolete(namespace)...) {
		if what := serverapply.Describe(object); wanted(object) && !seen[what] {
			seen[what] = true
			list = append(list, object)
		}
	}
	return list, nil
}
