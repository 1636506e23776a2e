// Package v1alpha1 is the API of the fleet, which an aggregated API server of the host
// cluster serves: its member clusters, and the way through to each of them.
//
// Nothing of it is stored. A Cluster is what the controller says of a member in its
// KubeFedCluster; clusters/NAME/proxy/... is that member's own API.
//
// +kubebuilder:object:generate=true
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=io.fedctl.fleet.v1alpha1
// +groupName=fleet.fedctl.io
package v1alpha1
