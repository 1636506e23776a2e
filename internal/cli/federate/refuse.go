package federate

import (
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fedctl/fedctl/pkg/federate"
)

var podKind = schema.GroupKind{Kind: "Pod"}

// perCluster are kinds whose objects say something about one cluster only, or
// that its controllers make from others that can be federated.
var perCluster = map[schema.GroupKind]string{
	podKind:                                 "a pod runs on a node of one cluster; federate what makes pods, such as a Deployment",
	{Kind: "Node"}:                          "a node belongs to the cluster whose machine it is",
	{Kind: "Event"}:                         "an event tells what happened in one cluster",
	{Kind: "Endpoints"}:                     "each cluster makes the endpoints of its own Services",
	{Group: "events.k8s.io", Kind: "Event"}: "an event tells what happened in one cluster",
	{Group: "discovery.k8s.io", Kind: "EndpointSlice"}:                "each cluster makes the endpoints of its own Services",
	{Group: "coordination.k8s.io", Kind: "Lease"}:                     "a lease is a lock between the processes of one cluster",
	{Group: "apps", Kind: "ControllerRevision"}:                       "it is the history that a controller keeps of its object; federate that object",
	{Group: "certificates.k8s.io", Kind: "CertificateSigningRequest"}: "a request is signed by the cluster it is made to",
}

// refuseKind says why no object of the kind can be federated; empty when some can.
func refuseKind(gk schema.GroupKind) string {
	if gk.Group == "kubefed.io" || strings.HasSuffix(gk.Group, ".kubefed.io") {
		return "it is part of the federation itself"
	}
	return perCluster[gk]
}

// refuseObject says why the object cannot be federated; empty when it can.
func refuseObject(u *unstructured.Unstructured, kubeFedNamespace string) string {
	gk := u.GroupVersionKind().GroupKind()
	namespace := u.GetNamespace()
	if gk == (schema.GroupKind{Kind: "Namespace"}) {
		namespace = u.GetName()
	}
	if isSystemNamespace(namespace, kubeFedNamespace) {
		return "namespace " + namespace + " belongs to the cluster, not to its users"
	}
	if owner := metav1.GetControllerOf(u); owner != nil {
		return fmt.Sprintf("it is controlled by %s %q; federate that", owner.Kind, owner.Name)
	}
	if why := refuseKind(gk); why != "" {
		return why
	}
	if u.GetDeletionTimestamp() != nil {
		return "it is being deleted"
	}
	if len(validation.IsDNS1123Subdomain(u.GetName())) > 0 {
		return "a federated object cannot have this name, which is not a DNS name in lower case"
	}
	return refuseOwn(gk, u)
}

// refuseOwn knows the objects that every cluster makes for itself.
func refuseOwn(gk schema.GroupKind, u *unstructured.Unstructured) string {
	secretType, _ := u.Object["type"].(string)
	switch {
	case gk == schema.GroupKind{Kind: "ConfigMap"} && u.GetName() == "kube-root-ca.crt":
		return "every cluster puts its own certificate there"
	case gk == schema.GroupKind{Kind: "Service"} && u.GetNamespace() == "default" && u.GetName() == "kubernetes":
		return "it is the API server of this cluster"
	case gk == schema.GroupKind{Kind: "Secret"} && secretType == string(corev1.SecretTypeServiceAccountToken):
		return "its token is valid in this cluster only"
	}
	return ""
}

// refuseContent is refuseObject for an object that nobody asked for by name.
func refuseContent(u *unstructured.Unstructured, kubeFedNamespace string) string {
	if why := refuseObject(u, kubeFedNamespace); why != "" {
		return why
	}
	isDefault := u.GroupVersionKind().GroupKind() == schema.GroupKind{Kind: "ServiceAccount"} && u.GetName() == "default"
	if isDefault && len(federate.Strip(u)) == 0 {
		return "every namespace has one, and nothing is set in this one"
	}
	return ""
}

// isSystemNamespace leaves out default, whose objects are users'.
func isSystemNamespace(name, kubeFedNamespace string) bool {
	switch name {
	case "kube-system", "kube-public", "kube-node-lease", kubeFedNamespace:
		return name != ""
	}
	return false
}

// leftOut collects what is not federated, and why, in the order it was found.
type leftOut []leftOutObjects

type leftOutObjects struct {
	typeName, why string
	names         []string
}

func (l *leftOut) add(typeName, name, why string) {
	for i := range *l {
		if at := &(*l)[i]; at.typeName == typeName && at.why == why {
			at.names = append(at.names, name)
			return
		}
	}
	*l = append(*l, leftOutObjects{typeName: typeName, why: why, names: []string{name}})
}

// print writes one line for each type and reason.
func (l leftOut) print(w io.Writer) {
	const most = 5
	for _, objects := range l {
		names, more := objects.names, ""
		if len(names) > most {
			more = fmt.Sprintf(" and %d more", len(names)-most)
			names = names[:most]
		}
		fmt.Fprintf(w, "skipped %s %s%s: %s\n", objects.typeName, strings.Join(names, ", "), more, objects.why)
	}
}
