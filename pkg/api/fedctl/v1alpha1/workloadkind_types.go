package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkloadKind says what the objects of a kind look like. It adds a kind to those that are
// known, or takes the place of what is known of one. There is one for each kind, named
// after it: <kind in lower case>.<group>, such as training.example.com.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,path=workloadkinds,shortName=wk
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.kind`
// +kubebuilder:printcolumn:name="Group",type=string,JSONPath=`.spec.group`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Accepted")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == self.spec.kind.lowerAscii() + (has(self.spec.group) && self.spec.group != \"\" ? '.' + self.spec.group : \"\")",message="metadata.name must be the kind in lower case, a dot and the group, such as training.example.com"
type WorkloadKind struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec WorkloadKindSpec `json:"spec"`
	// +optional
	Status WorkloadKindStatus `json:"status,omitempty"`
}

// WorkloadKindList is a list of WorkloadKinds.
//
// +kubebuilder:object:root=true
type WorkloadKindList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []WorkloadKind `json:"items"`
}

// WorkloadKindSpec says what objects look like.
//
// +kubebuilder:validation:XValidation:rule="(has(self.group) ? self.group : \"\") == (has(oldSelf.group) ? oldSelf.group : \"\") && self.kind == oldSelf.kind",message="group and kind cannot be changed"
// +kubebuilder:validation:XValidation:rule="self.kind != \"Secret\" || has(self.group) && self.group != \"\"",message="what a Secret holds is not told: it has no pods, and its health is not judged by it"
type WorkloadKindSpec struct {
	// Group is the API group of the objects in the members; empty for Kubernetes' core.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
	// Kind of the objects in the members, such as Training.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9-]*$`
	Kind string `json:"kind"`
	// Components are the groups of pods that an object makes. Without any, a kind that is known
	// keeps those that are known.
	// +optional
	// +listType=map
	// +listMapKey=path
	// +kubebuilder:validation:MaxItems=32
	Components []Component `json:"components,omitempty"`
	// Health says what makes an object healthy. Without it, kstatus judges: by the conditions
	// Ready, Reconciling and Stalled and by observedGeneration.
	// +optional
	Health *Health `json:"health,omitempty"`
	// ProgressDeadlineSeconds is how long an object may be Progressing in a cluster, with no
	// other word of it, before it is Degraded. 0, or nothing: as long as it takes.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2592000
	ProgressDeadlineSeconds int32 `json:"progressDeadlineSeconds,omitempty"`
}

// TemplateType is what is at the path of a component.
//
// +kubebuilder:validation:Enum=PodTemplateSpec;PodSpec
type TemplateType string

// The types.
const (
	// PodTemplateSpec has metadata and spec of pods.
	PodTemplateSpec TemplateType = "PodTemplateSpec"
	// PodSpec is the spec alone.
	PodSpec TemplateType = "PodSpec"
)

// Component is a group of pods.
type Component struct {
	// Path leads to the pod template: names of fields, separated by dots, with * for every
	// item of a list or value of a map, such as spec.workers.*.template.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^([A-Za-z_][A-Za-z0-9_-]*)(\.(\*|[A-Za-z_][A-Za-z0-9_-]*))*$`
	Path string `json:"path"`
	// Type is what is there.
	// +optional
	// +kubebuilder:default=PodTemplateSpec
	Type TemplateType `json:"type,omitempty"`
	// ReplicasPath leads to how many pods there are of the template; one, if it leads nowhere.
	// Each * in it stands for the same item as the one of that place in path.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^([A-Za-z_][A-Za-z0-9_-]*)(\.(\*|[A-Za-z_][A-Za-z0-9_-]*))*$`
	ReplicasPath string `json:"replicasPath,omitempty"`
}

// Health has expressions in CEL, of which object is the variable: the object as it is in
// its cluster. The first of degraded, suspended and healthy that is true counts; an object
// of which none is true is Progressing. A field that is not there makes an expression not
// true. Before any of them is asked, an object that is being deleted, or whose
// status.observedGeneration is behind, is Progressing.
type Health struct {
	// Healthy is true of an object that does what it is for, or has done it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Healthy string `json:"healthy"`
	// Degraded is true of an object that has failed.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Degraded string `json:"degraded,omitempty"`
	// Suspended is true of an object that has been told to wait.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Suspended string `json:"suspended,omitempty"`
	// Message is a text that says why an object is not healthy.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Message string `json:"message,omitempty"`
}

// WorkloadKindStatus is what the controller says of a WorkloadKind.
type WorkloadKindStatus struct {
	// ObservedGeneration is the generation that the status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions: Accepted.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ConditionAccepted is True for a WorkloadKind that is carried out as a whole.
const ConditionAccepted = "Accepted"

// Reasons of ConditionAccepted.
const (
	ReasonAccepted = "Accepted"
	// ReasonInvalidHealth is of one whose health cannot be judged by its expressions: its
	// components count, and its objects' health is Unknown.
	ReasonInvalidHealth = "InvalidHealth"
	// ReasonSecret is of one that is about Secrets: it has no effect.
	ReasonSecret = "Secret"
)
