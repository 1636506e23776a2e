// Package v1alpha1 holds what tells the control plane of kinds that it does not know.
//
// A WorkloadKind says what the objects of a custom kind look like: where they have their
// pod templates, which policies change, and what makes an object healthy.
//
// +kubebuilder:object:generate=true
// +groupName=fedctl.io
package v1alpha1
