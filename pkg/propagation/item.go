package propagation

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"
)

// Item is one piece of work: a federated object in one member cluster, or, with
// no cluster, the decision about that object in the host cluster.
type Item struct {
	// Type is the name of the FederatedTypeConfig, for example "deployments.apps".
	Type string
	// Object is the federated object; for a FederatedNamespace "ns/ns".
	Object types.NamespacedName
	// ClusterName is the member cluster; empty for the host's own item.
	ClusterName multicluster.ClusterName
}

// String implements fmt.Stringer.
func (i Item) String() string {
	if i.ClusterName == "" {
		return fmt.Sprintf("%s %s", i.Type, i.Object)
	}
	return fmt.Sprintf("%s %s in cluster %s", i.Type, i.Object, i.ClusterName)
}

// Cluster implements multicluster-runtime's ClusterAware.
func (i Item) Cluster() multicluster.ClusterName { return i.ClusterName }

// WithCluster implements multicluster-runtime's ClusterAware.
func (i Item) WithCluster(name multicluster.ClusterName) Item {
	i.ClusterName = name
	return i
}
