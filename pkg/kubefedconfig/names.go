package kubefedconfig

// DefaultNamespace is the usual namespace of a control plane, KubeFed's.
const DefaultNamespace = "kube-federation-system"

// ClusterWideName is the name of an object that has no namespace and of which each
// control plane in a cluster has its own: for the default namespace it is name,
// for others the namespace is added. Both results are DNS subdomains if name is one.
func ClusterWideName(name, namespace string) string {
	if namespace == DefaultNamespace {
		return name
	}
	return name + "-" + namespace
}
