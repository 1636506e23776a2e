package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BackupSource says which objects are saved.
type BackupSource struct {
	// Namespaces whose objects are saved; "*" means all. By default the namespace of
	// the Backup.
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:XValidation:rule="!('*' in self) || size(self) == 1",message="\"*\" means all namespaces and must stand alone"
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:MinLength=1
	// +listType=set
	// +optional
	Namespaces []string `json:"namespaces,omitempty"`
	// IncludedResources limits what is saved, each <plural>[.<group>], or *.<group> for all
	// of a group; all by default.
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=316
	// +kubebuilder:validation:items:MinLength=1
	// +listType=set
	// +optional
	IncludedResources []string `json:"includedResources,omitempty"`
	// ExcludedResources are not saved, each <plural>[.<group>], or *.<group> for all of a group.
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=316
	// +kubebuilder:validation:items:MinLength=1
	// +listType=set
	// +optional
	ExcludedResources []string `json:"excludedResources,omitempty"`
	// LabelSelector limits what is saved to objects it selects.
	// +optional
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
	// IncludeClusterResources saves objects that are in no namespace, too.
	// +optional
	IncludeClusterResources bool `json:"includeClusterResources,omitempty"`
	// Volumes says what becomes of the data in volumes: None, or Snapshot, which
	// makes a VolumeSnapshot of every PersistentVolumeClaim and records it.
	// +kubebuilder:validation:Enum=None;Snapshot
	// +kubebuilder:default=None
	// +optional
	Volumes string `json:"volumes,omitempty"`
}

// Hooks run commands in pods around a run.
type Hooks struct {
	// Pre run before the objects are read.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Pre []Hook `json:"pre,omitempty"`
	// Post run afterwards, whatever happened.
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	// +optional
	Post []Hook `json:"post,omitempty"`
}

// Hook is a command that runs in all pods that a selector selects.
type Hook struct {
	// Namespace of the pods; by default that of the Backup.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// PodSelector selects the pods.
	PodSelector metav1.LabelSelector `json:"podSelector"`
	// Container to run in; the first by default.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Container string `json:"container,omitempty"`
	// Command and its arguments; no shell is involved.
	// +kubebuilder:validation:MinItems=1
	// +listType=atomic
	Command []string `json:"command"`
	// OnError is Fail, which fails the run, or Continue.
	// +kubebuilder:validation:Enum=Fail;Continue
	// +kubebuilder:default=Fail
	// +optional
	OnError string `json:"onError,omitempty"`
	// Timeout of the command.
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be more than 0"
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}
