package content

import "slices"

// builtIn are the API groups that Kubernetes itself serves. Their kinds have a
// status that the cluster writes.
var builtIn = []string{
	"", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps", "autoscaling", "batch",
	"certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "extensions", "flowcontrol.apiserver.k8s.io",
	"networking.k8s.io", "node.k8s.io", "policy", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
}

// BuiltIn says whether Kubernetes itself serves the resource.
func BuiltIn(resource Resource) bool { return slices.Contains(builtIn, resource.Group) }

// notSaved is metadata that says nothing outside of the server it comes from.
var notSaved = []string{"managedFields", "resourceVersion", "selfLink", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"}

// Clean removes from an object what is not worth saving; it changes the object.
// The UID stays, since ownerReferences of other objects name it.
//
// The status goes, since the cluster computes it, with two exceptions: that of a
// Job says whether it has ended, and custom resources may have one that is not a
// subresource, so that nothing but the object holds it. A server ignores it in a
// write where it is one.
func Clean(resource Resource, object map[string]any) {
	if metadata := mapping(object, "metadata"); metadata != nil {
		for _, field := range notSaved {
			delete(metadata, field)
		}
	}
	if BuiltIn(resource) && resource.Name() != jobs {
		delete(object, "status")
	}
	if resource.Name() == secrets && isToken(object) {
		// The token opens the cluster, and no other one.
		for _, row := range ownedBy(resource, object) {
			if row.resource == secrets {
				row.remove(resource, object)
			}
		}
	}
}
