package manifests

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// sharedPolicies is how policies on federated objects, and on what schedules them, are
// called: they hold in all namespaces, for all control planes.
var sharedPolicies = []string{".types.kubefed.io", ".scheduling.kubefed.io"}

func isSharedPolicy(name string) bool {
	return slices.ContainsFunc(sharedPolicies, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// takenWords are how names of the default control plane go on after those that
// others get their namespace appended to: fedctl-controller-metrics is a binding
// of the default one, and would be that of fedctl-controller in a namespace metrics.
var takenWords = []string{"metrics", "namespaced", obsoleteWord}

// obsoleteWord is one that earlier versions have used, and whose objects are deleted.
const obsoleteWord = "webhook"

// TakenWords are those that no namespace of a control plane may be, or begin with before a dash.
func TakenWords() []string { return slices.Clone(takenWords) }

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
	perControlPlane := []string{"ClusterRoleBinding", "ValidatingAdmissionPolicyBinding"}
	switch {
	case object.GetKind() == "ValidatingAdmissionPolicyBinding" && isSharedPolicy(object.GetName()):
		return
	case !slices.Contains(perControlPlane, object.GetKind()):
		return
	}
	own("metadata", "name")
}

// DefinitionOf is the name of the CustomResourceDefinition of the federated type that a
// FederatedTypeConfig names.
func DefinitionOf(config *unstructured.Unstructured) string {
	plural, _, _ := unstructured.NestedString(config.Object, "spec", "federatedType", "pluralName")
	group, _, _ := unstructured.NestedString(config.Object, "spec", "federatedType", "group")
	return typeconfig.QualifiedName(plural, group)
}
