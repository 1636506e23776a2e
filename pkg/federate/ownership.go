package federate

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Ownership says whose the fields of a member's object are that its template does not name.
type Ownership string

const (
	// Exact is for objects whose meaning is the whole: what other managers add to the
	// content is taken back.
	Exact Ownership = "Exact"
	// Shared is for objects that a member has its part in: what other managers write is
	// said, and left alone.
	Shared Ownership = "Shared"
)

// OwnershipAnnotation chooses the ownership, on a federated object for its objects in the
// members, and on a FederatedTypeConfig for those of the type.
const OwnershipAnnotation = "fedctl.io/ownership"

// ExactKind is a kind whose objects are Exact as long as nobody says otherwise.
type ExactKind struct {
	schema.GroupKind
	// Why says what a field that somebody adds does.
	Why string
}

// ExactKinds are those kinds. Objects of all others are Shared: workloads, Services and
// Ingresses have fields that controllers of the member write, namespaces and
// ServiceAccounts are assigned some, and of custom resources nobody knows.
func ExactKinds() []ExactKind {
	const rbac, admission = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
	return []ExactKind{
		{schema.GroupKind{Kind: "ConfigMap"}, "a key is a setting, or a file in a pod"},
		{schema.GroupKind{Kind: "Secret"}, "a key is a credential, or a file in a pod"},
		{schema.GroupKind{Kind: "LimitRange"}, "a limit changes every pod that is created"},
		{schema.GroupKind{Kind: "ResourceQuota"}, "a bound refuses what is created, and a scope lets it pass"},
		{schema.GroupKind{Group: rbac, Kind: "Role"}, "a rule is a right"},
		{schema.GroupKind{Group: rbac, Kind: "ClusterRole"}, "a rule is a right"},
		{schema.GroupKind{Group: rbac, Kind: "RoleBinding"}, "a subject gets the rights"},
		{schema.GroupKind{Group: rbac, Kind: "ClusterRoleBinding"}, "a subject gets the rights"},
		{schema.GroupKind{Group: "networking.k8s.io", Kind: "NetworkPolicy"}, "a rule opens what was closed"},
		{schema.GroupKind{Group: "policy", Kind: "PodDisruptionBudget"}, "a condition allows evictions"},
		{schema.GroupKind{Group: admission, Kind: "ValidatingWebhookConfiguration"}, "a selector switches a check off"},
		{schema.GroupKind{Group: admission, Kind: "MutatingWebhookConfiguration"}, "a selector switches a change off"},
		{schema.GroupKind{Group: admission, Kind: "ValidatingAdmissionPolicy"}, "a condition switches a check off"},
		{schema.GroupKind{Group: admission, Kind: "ValidatingAdmissionPolicyBinding"}, "a selector switches a check off"},
		{schema.GroupKind{Group: admission, Kind: "MutatingAdmissionPolicy"}, "a condition switches a change off"},
		{schema.GroupKind{Group: admission, Kind: "MutatingAdmissionPolicyBinding"}, "a selector switches a change off"},
		{schema.GroupKind{Group: "scheduling.k8s.io", Kind: "PriorityClass"}, "globalDefault gives the priority to every pod"},
		{schema.GroupKind{Group: "storage.k8s.io", Kind: "StorageClass"}, "a parameter changes every volume that is made"},
	}
}

var exactKinds = func() map[schema.GroupKind]bool {
	kinds := map[schema.GroupKind]bool{}
	for _, kind := range ExactKinds() {
		kinds[kind.GroupKind] = true
	}
	return kinds
}()

// DefaultOwnership is that of a kind's objects where nobody says otherwise.
func DefaultOwnership(gk schema.GroupKind) Ownership {
	if exactKinds[gk] {
		return Exact
	}
	return Shared
}

// OwnershipOf is that of the objects of a kind: what the annotation of the federated object
// says, else that of the type, else the default; an empty value says nothing. A value that
// nobody knows is a fault, and nothing is taken back until it is mended: that may be what
// was meant.
func OwnershipOf(gk schema.GroupKind, ofType, ofObject string) (ownership Ownership, fault string) {
	for _, said := range []struct{ value, where string }{{ofObject, ""}, {ofType, "of the FederatedTypeConfig "}} {
		switch Ownership(said.value) {
		case "":
		case Exact, Shared:
			return Ownership(said.value), ""
		default:
			return Shared, said.where + OwnershipFault(said.value)
		}
	}
	return DefaultOwnership(gk), ""
}

// OwnershipFault says what is wrong with a value of the annotation; empty if it is none.
func OwnershipFault(value string) string {
	switch Ownership(value) {
	case "", Exact, Shared:
		return ""
	}
	return fmt.Sprintf("metadata.annotations[%s]: must be %s or %s, is %q: what others add in the members stays", OwnershipAnnotation, Exact, Shared, errtext.Bounded(value, longestField))
}
