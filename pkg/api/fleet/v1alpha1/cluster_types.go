package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Cluster is a member cluster, as the controller in the host cluster sees it. Its name,
// labels and versions are those of its KubeFedCluster, from which it is read: it cannot
// be written. The member's own API is below its subresource proxy.
//
// +kubebuilder:object:root=true
type Cluster struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Status ClusterStatus `json:"status,omitempty"`
}

// ClusterList is a list of Clusters.
//
// +kubebuilder:object:root=true
type ClusterList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Cluster `json:"items"`
}

// ClusterStatus is how a member cluster fares. What is empty is not known.
type ClusterStatus struct {
	// Ready is True, False or Unknown. A cluster whose Ready is not True is not proxied to.
	Ready corev1.ConditionStatus `json:"ready"`
	// Reason is that of the Ready condition, one CamelCase word.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message is that of the Ready condition, for people.
	// +optional
	Message string `json:"message,omitempty"`
	// Version is that of its API server, such as v1.36.3.
	// +optional
	Version string `json:"version,omitempty"`
	// Region and Zones are those of its nodes.
	// +optional
	Region string `json:"region,omitempty"`
	// +optional
	// +listType=atomic
	Zones []string `json:"zones,omitempty"`
	// Nodes is how many there are.
	// +optional
	Nodes string `json:"nodes,omitempty"`
	// Accelerators are how many can be allocated of each kind, over all nodes, such as
	// nvidia.com/gpu=8; or none.
	// +optional
	Accelerators string `json:"accelerators,omitempty"`
}
