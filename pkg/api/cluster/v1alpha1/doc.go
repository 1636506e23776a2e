// Package v1alpha1 holds what a host cluster knows of its member clusters beyond
// KubeFed's KubeFedCluster.
//
// A ClusterCapacity is what one member's nodes offer, and what is free of it. The
// controller writes it, and everything that depends on it - policies, "fedctl explain",
// "fedctl top" - reads it there and nowhere else.
//
// +kubebuilder:object:generate=true
// +groupName=cluster.fedctl.io
package v1alpha1
