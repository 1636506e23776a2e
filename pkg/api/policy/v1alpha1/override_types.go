package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OverridePolicy changes federated objects of its namespace. Whoever may write one may
// change every workload that is federated from there.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=overridepolicies,shortName=op
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Applied",type=string,JSONPath=`.status.conditions[?(@.type=="Applied")].status`
// +kubebuilder:printcolumn:name="Contested",type=string,JSONPath=`.status.conditions[?(@.type=="Contested")].status`
// +kubebuilder:printcolumn:name="Selected",type=integer,JSONPath=`.status.selectedObjects`
// +kubebuilder:printcolumn:name="Objects",type=integer,JSONPath=`.status.objects`
// +kubebuilder:printcolumn:name="Clusters",type=integer,JSONPath=`.status.clusters`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Applied")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="!has(self.spec.selectors) || self.spec.selectors.all(s, !has(s.namespaces))",message="an OverridePolicy is for its own namespace: namespaces are for a ClusterOverridePolicy"
type OverridePolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec OverridePolicySpec `json:"spec"`
	// +optional
	Status OverridePolicyStatus `json:"status,omitempty"`
}

// OverridePolicyList is a list of OverridePolicies.
//
// +kubebuilder:object:root=true
type OverridePolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []OverridePolicy `json:"items"`
}

// ClusterOverridePolicy changes federated objects of all namespaces, or of those that it
// names.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=clusteroverridepolicies,shortName=cop
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Applied",type=string,JSONPath=`.status.conditions[?(@.type=="Applied")].status`
// +kubebuilder:printcolumn:name="Contested",type=string,JSONPath=`.status.conditions[?(@.type=="Contested")].status`
// +kubebuilder:printcolumn:name="Selected",type=integer,JSONPath=`.status.selectedObjects`
// +kubebuilder:printcolumn:name="Objects",type=integer,JSONPath=`.status.objects`
// +kubebuilder:printcolumn:name="Clusters",type=integer,JSONPath=`.status.clusters`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Applied")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterOverridePolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec OverridePolicySpec `json:"spec"`
	// +optional
	Status OverridePolicyStatus `json:"status,omitempty"`
}

// ClusterOverridePolicyList is a list of ClusterOverridePolicies.
//
// +kubebuilder:object:root=true
type ClusterOverridePolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterOverridePolicy `json:"items"`
}

// OverridePolicySpec says what is changed where.
type OverridePolicySpec struct {
	// Selectors say which federated objects are changed: those that one of them selects.
	// Without any, all whose kind has a pod template.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	Selectors []ObjectSelector `json:"selectors,omitempty"`
	// Rules are carried out one after the other, each on top of those before it.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Rules []OverrideRule `json:"rules"`
}

// ObjectSelector selects federated objects: what is set has to match.
type ObjectSelector struct {
	// Kind is that of the objects in the members, such as Deployment.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`
	// Group is the API group of the same; it need not be given where the kind says enough.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// Names of the objects.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	Names []string `json:"names,omitempty"`
	// Namespaces of the objects; only in a ClusterOverridePolicy.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	Namespaces []string `json:"namespaces,omitempty"`
	// LabelSelector selects by the labels of the federated objects.
	// +optional
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
}

// ClusterSelector selects member clusters: what is set has to match.
type ClusterSelector struct {
	// Names of the clusters.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	Names []string `json:"names,omitempty"`
	// LabelSelector selects by the labels of the KubeFedClusters.
	// +optional
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
	// Accelerator selects clusters with nodes that offer this resource, such as nvidia.com/gpu.
	// +optional
	// +kubebuilder:validation:MaxLength=316
	Accelerator string `json:"accelerator,omitempty"`
	// Product selects clusters with nodes that offer this product, such as NVIDIA-A100-SXM4-40GB.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Product string `json:"product,omitempty"`
	// KubernetesVersion selects clusters by their API server's version, such as ">=1.34" or
	// ">=1.33, <1.36". What a provider appends to a version does not count.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
}

// OverridePolicyStatus is what the controller says of a policy.
type OverridePolicyStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// SelectedObjects is how many federated objects the policy selects.
	// +optional
	SelectedObjects int32 `json:"selectedObjects,omitempty"`
	// Objects is how many of them it changes, and Clusters in how many clusters it changes
	// one at least.
	// +optional
	Objects int32 `json:"objects,omitempty"`
	// +optional
	Clusters int32 `json:"clusters,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConditionAccepted is True for a policy that can be carried out.
const ConditionAccepted = "Accepted"

// Reasons of ConditionAccepted.
const (
	ReasonAccepted       = "Accepted"
	ReasonInvalid        = "Invalid"
	ReasonSelectsNothing = "SelectsNothing"
	// ReasonUnmatched: a rule names a cluster that has not joined, or something that no cluster has.
	ReasonUnmatched = "Unmatched"
)

// ConditionApplied is True for a policy that is carried out on all objects that it selects, and
// whose changes have got to the clusters.
const ConditionApplied = "Applied"

// Reasons of ConditionApplied. ReasonInvalid, ReasonSelectsNothing and ReasonUnmatched are some as well.
const (
	ReasonApplied = "Applied"
	// ReasonRestricted: it is carried out and does not reach all, such as pools of nodes that
	// stay closed.
	ReasonRestricted = "Restricted"
	// ReasonFailed: it cannot be carried out on an object in a cluster, where the last good
	// state stays.
	ReasonFailed = "Failed"
	// ReasonPropagating: it is carried out, and what comes of it is not there in a cluster.
	ReasonPropagating = "Propagating"
)

// ConditionContested is True for a policy that sets a field which another policy sets to
// something else.
const ConditionContested = "Contested"

// Reasons of ConditionContested.
const (
	ReasonContested   = "SetByAnother"
	ReasonUncontested = "Uncontested"
)
