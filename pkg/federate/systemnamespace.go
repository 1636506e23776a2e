package federate

// IsSystemNamespace says whether a namespace is never federated itself, as in KubeFed:
// those that every cluster has, and the control plane's. What is in them may be.
func IsSystemNamespace(name, kubeFedNamespace string) bool {
	switch name {
	case "kube-system", "kube-public", "default", kubeFedNamespace:
		return true
	}
	return false
}
