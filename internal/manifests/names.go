package manifests

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// webhookRole names the one webhook configuration of its control plane.
const webhookRole = "fedctl-controller-webhook"

// sharedPolicies hold in all namespaces, for all control planes.
var sharedPolicies = []string{"overrides.types.kubefed.io", "ownership.types.kubefed.io"}

// takenWords are how names of the default control plane go on after those that
// others get their namespace appended to: fedctl-controller-webhook is a binding
// of the default one, and would be that of fedctl-controller in a namespace webhook.
var takenWords = []string{"namespaced", "webhook"}

// CheckNamespace refuses a namespace with which an object of its control plane
// would have the name of one of another control plane.
func CheckNamespace(namespace string) error {
	for _, word := range takenWords {
		if namespace == word || strings.HasPrefix(namespace, word+"-") {
			return fmt.Errorf("a control plane cannot be in the namespace %s: its objects that have no namespace would be named fedctl-controller-%s, as those of other control planes are; choose a namespace that does not begin with %s",
				namespace, namespace, word)
		}
	}
	return nil
}

// ownNames lets several control planes live in one cluster. Of some objects that
// have no namespace each has its own, and so they get a name of their own; the rest
// (definitions, policies, roles) is the same for all.
func ownNames(object *unstructured.Unstructured, namespace string) {
	own := func(fields ...string) {
		if name, found, _ := unstructured.NestedString(object.Object, fields...); found {
			// It was there: it can be set.
			_ = unstructured.SetNestedField(object.Object, kubefedconfig.ClusterWideName(name, namespace), fields...)
		}
	}
	perControlPlane := []string{"ClusterRoleBinding", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicyBinding"}
	switch {
	case slices.Contains(sharedPolicies, object.GetName()):
		return
	case object.GetKind() == "ClusterRole" && object.GetName() == webhookRole:
		ownResourceNames(object, namespace)
	case !slices.Contains(perControlPlane, object.GetKind()):
		return
	}
	if role, _, _ := unstructured.NestedString(object.Object, "roleRef", "name"); role == webhookRole {
		own("roleRef", "name")
	}
	own("metadata", "name")
}

// ownResourceNames makes the rules of a role about the objects of one control plane.
func ownResourceNames(role *unstructured.Unstructured, namespace string) {
	rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
	for _, rule := range rules {
		fields, _ := rule.(map[string]any)
		names, _, _ := unstructured.NestedStringSlice(fields, "resourceNames")
		for i, name := range names {
			names[i] = kubefedconfig.ClusterWideName(name, namespace)
		}
		_ = unstructured.SetNestedStringSlice(fields, names, "resourceNames") // of a map: it can be set
	}
	_ = unstructured.SetNestedSlice(role.Object, rules, "rules")
}
