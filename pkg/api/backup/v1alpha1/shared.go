package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LocalReference names an object in the same namespace.
type LocalReference struct {
	// Name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// SecretKeyReference names a key of a Secret in the same namespace.
type SecretKeyReference struct {
	// Name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Key in the Secret's data.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:default=password
	// +optional
	Key string `json:"key,omitempty"`
}

// Totals counts what was saved or restored.
type Totals struct {
	// Objects is the number of Kubernetes objects.
	// +optional
	Objects int64 `json:"objects,omitempty"`
	// Bytes is their size.
	// +optional
	Bytes int64 `json:"bytes,omitempty"`
	// StoredBytes is what was added to the repository, after deduplication and compression.
	// +optional
	StoredBytes int64 `json:"storedBytes,omitempty"`
}

// LeftOut begins the message of a ResourceWarning about what is never saved, by rule: in each
// run it says the same.
const LeftOut = "left out"

// ResourceWarning tells that something was left out or not complete.
type ResourceWarning struct {
	// Resource is the resource concerned, <plural>.<group>; empty for the whole.
	// +optional
	Resource string `json:"resource,omitempty"`
	// Namespace of the object concerned, if it is one object.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of the object concerned, if it is one object.
	// +optional
	Name string `json:"name,omitempty"`
	// Message says what happened.
	Message string `json:"message"`
}

// ConditionedStatus is the part of a status that all kinds have.
type ConditionedStatus struct {
	// ObservedGeneration is the generation that the status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions by type.
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Types of conditions.
const (
	// ConditionReady says whether the object can do what it is for.
	ConditionReady = "Ready"
	// ConditionScheduled says whether a Backup has a next run.
	ConditionScheduled = "Scheduled"
	// ConditionWithinObjective says whether the last good run is recent enough.
	ConditionWithinObjective = "WithinObjective"
	// ConditionIntact says whether everything that the runs in a BackupRepository need is
	// still in its storage. It is Unknown, with the reason ReasonReadingBack, while what was
	// lost and is there again is being read, or what is in doubt for damage elsewhere.
	ConditionIntact   = "Intact"
	ReasonReadingBack = "ReadingBack"
	// ConditionVerified says whether what was written could be read back.
	ConditionVerified = "Verified"
)

const (
	// VerifyAnnotation on a BackupRun asks for its data to be read back now; its value
	// is a mode of Verify, Checksum or Restore. It is removed when that is done, and
	// the run's condition Verified tells the result.
	VerifyAnnotation = "backup.fedctl.io/verify"
	// CheckAnnotation on a BackupRepository asks for it to be looked at now; its value,
	// such as the time, is in status.handledCheck afterwards.
	CheckAnnotation = "backup.fedctl.io/check"
	// NextPasswordSuffix at the end of a key of a Secret makes it the key of the password
	// that is to take the place of the one under the key.
	NextPasswordSuffix = ".new"
	// BlockedAnnotation on a KubeFedCluster says why the host's controller may not
	// execute the backups of that cluster; it goes when it may.
	BlockedAnnotation = "backup.fedctl.io/blocked"
	// ExecutorLease is the name of the Lease in a cluster's KubeFed namespace that
	// decides who executes its backups.
	ExecutorLease = "backup-executor"
	// Finalizer is on Backups whose stored data is to be deleted with them.
	Finalizer = "backup.fedctl.io/stored-data"
)
