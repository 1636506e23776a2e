package enablement

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Rights are what lets the controller of a control plane in a namespace work on federated
// types of a group that it is not installed with the rights to. The default group needs none.
func Rights(group, namespace string) []*unstructured.Unstructured {
	if group == typeconfig.DefaultFederatedGroup {
		return nil
	}
	const api = "rbac.authorization.k8s.io"
	name := kubefedconfig.Controller + ":" + group
	role := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": api + "/v1",
		"kind":       "ClusterRole",
		"metadata":   map[string]any{"name": name},
		"rules": []any{map[string]any{
			"apiGroups": []any{group},
			"resources": []any{"*"},
			"verbs":     []any{"get", "list", "watch", "patch"},
		}},
	}}
	// Each control plane in the cluster has its own binding.
	bindingName := kubefedconfig.ClusterWideName(name, namespace)
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": api + "/v1",
		"kind":       "ClusterRoleBinding",
		"metadata":   map[string]any{"name": bindingName},
		"roleRef":    map[string]any{"apiGroup": api, "kind": "ClusterRole", "name": name},
		"subjects": []any{map[string]any{
			"kind": "ServiceAccount", "name": kubefedconfig.Controller, "namespace": namespace,
		}},
	}}
	return []*unstructured.Unstructured{role, binding}
}
