package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the API group and version of this package.
	GroupVersion = schema.GroupVersion{Group: "fleet.fedctl.io", Version: "v1alpha1"}

	builder = runtime.NewSchemeBuilder(func(scheme *runtime.Scheme) error {
		scheme.AddKnownTypes(GroupVersion, &Cluster{}, &ClusterList{})
		metav1.AddToGroupVersion(scheme, GroupVersion)
		return nil
	})

	// AddToScheme adds the types of this package to a scheme.
	AddToScheme = builder.AddToScheme
)

// The resources that are served, and how one of them leads to a member.
const (
	ClustersResource = "clusters"
	ProxySubresource = "proxy"
	// AllClusters stands in the place of a cluster's name for several clusters, or all of
	// them, which are read at once. No cluster can be called so.
	AllClusters = "-"
)

// ProxyPath is the path in the host cluster below which the API of a member is.
func ProxyPath(cluster string) string {
	return "/apis/" + GroupVersion.String() + "/" + ClustersResource + "/" + cluster + "/" + ProxySubresource
}
