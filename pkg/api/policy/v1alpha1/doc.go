// Package v1alpha1 holds the policies that change workloads on their way to the member
// clusters, without a word in the federated objects themselves.
//
// An OverridePolicy is for the federated objects of its namespace, a ClusterOverridePolicy
// for those of all. The controller applies first the cluster-scoped ones, in the order of
// their names, then those of the namespace, then the overrides of the object itself.
//
// +kubebuilder:object:generate=true
// +groupName=policy.fedctl.io
package v1alpha1
