package federate

import "fmt"

// NamespacesNotEnabled says why it is not known where the objects of a namespace may go.
const NamespacesNotEnabled = "the type namespaces is not enabled, so it is not known which clusters hold the namespace: run fedctl enable namespaces"

// NamespaceNotFederatedMessage says of an object's namespace what placement.Decision's
// NamespaceNotFederated means.
func NamespaceNotFederatedMessage(namespace string) string {
	return fmt.Sprintf("namespace %s has no FederatedNamespace %s/%s", namespace, namespace, namespace)
}

// SystemNamespaceMessage says of a FederatedNamespace what IsSystemNamespace means.
func SystemNamespaceMessage(name string) string {
	return fmt.Sprintf("metadata.name: the Namespace %s is never federated itself, as each cluster has its own; what is in it goes where the placement says", name)
}

// IsSystemNamespace says whether a namespace is never federated itself, as in KubeFed:
// those that every cluster has, and the control plane's. What is in them may be.
func IsSystemNamespace(name, kubeFedNamespace string) bool {
	switch name {
	case "kube-system", "kube-public", "default", kubeFedNamespace:
		return true
	}
	return false
}
