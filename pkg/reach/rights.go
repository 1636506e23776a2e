package reach

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// NamespaceRightsAnnotation of a KubeFedCluster names the account in the member
// (namespace/name) that has the right to write there by namespace: the controller binds
// NamespaceRole to it in each namespace that the federation places there.
const NamespaceRightsAnnotation = "fedctl.io/namespace-rights"

// NamespaceRights is the account that a KubeFedCluster's annotation names; the zero value
// if the rights there need no RoleBindings of the controller's.
func NamespaceRights(kfc *fedcorev1beta1.KubeFedCluster) types.NamespacedName {
	namespace, name, _ := strings.Cut(kfc.Annotations[NamespaceRightsAnnotation], "/")
	if namespace == "" || name == "" {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// NamespaceRole is the name of the ClusterRole in a member that is bound by namespace, and
// that of each RoleBinding.
func NamespaceRole(account string) string { return RoleName(account) + ":namespaces" }

// RoleName is KubeFed's name of the role of an account in a member, and of its binding.
func RoleName(account string) string { return "kubefed-controller-manager:" + account }

// KubernetesPrefix begins the names of namespaces that are Kubernetes' own.
const KubernetesPrefix = "kube-"

// MayBind says whether the right to write is ever bound in a namespace: in those of
// Kubernetes, and where the account itself is, it would be the right to everything.
func MayBind(account types.NamespacedName, namespace string) bool {
	return namespace != account.Namespace && !strings.HasPrefix(namespace, KubernetesPrefix)
}
