package manifests

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// PartOfLabel with the value PartOf is on all that is installed.
const (
	PartOfLabel = "app.kubernetes.io/part-of"
	PartOf      = "fedctl"
)

// obsoleteWebhook was called so: the webhook for KubeFedConfigs, which the leader
// defaults now. To look after its certificates, the controller could change a
// configuration that might send every write in the cluster anywhere.
const obsoleteWebhook = "fedctl-controller-webhook"

// Obsolete are the objects of a control plane that earlier versions have installed and
// this one does not need, in the order of their deletion.
func Obsolete(namespace string) []*unstructured.Unstructured {
	object := func(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		o.SetAPIVersion(apiVersion)
		o.SetKind(kind)
		o.SetNamespace(namespace)
		o.SetName(name)
		return o
	}
	own := func(name string) string { return kubefedconfig.ClusterWideName(name, namespace) }
	const rbac = "rbac.authorization.k8s.io/v1"
	return []*unstructured.Unstructured{
		object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", own(kubefedconfig.Controller)),
		object(rbac, "ClusterRoleBinding", "", own(obsoleteWebhook)),
		object(rbac, "ClusterRole", "", own(obsoleteWebhook)),
		object(rbac, "RoleBinding", namespace, obsoleteWebhook),
		object(rbac, "Role", namespace, obsoleteWebhook),
		object("v1", "Service", namespace, obsoleteWebhook),
		object("v1", "Secret", namespace, obsoleteWebhook),
	}
}
