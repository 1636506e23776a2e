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

// The names that a control plane goes by in its namespace.
const (
	// Name is that of the KubeFedConfig that counts.
	Name = "kubefed"
	// Controller is that of the controller: of its Deployment, the account that it
	// runs as, its roles, its Lease and the webhook configuration.
	Controller = "fedctl-controller"
	// ControllerContainer is that of the controller's container in its Pods.
	ControllerContainer = "controller"
	// FleetAPI is that of the API server of the fleet: of its Deployment, the account that
	// it runs as, its roles and its Service.
	FleetAPI = "fedctl-fleet-api"
	// KubeFedController is that of the Deployment of KubeFed's own controller, as its
	// chart brings it.
	KubeFedController = "kubefed-controller-manager"
)
