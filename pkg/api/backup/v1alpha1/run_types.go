package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BackupRun is one execution of a Backup. The name of a scheduled one follows
// from the Backup and its time, so that no time is executed twice.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=bkrun,categories=backup-all
// +kubebuilder:printcolumn:name="Backup",type=string,JSONPath=`.spec.backupRef.name`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Objects",type=integer,JSONPath=`.status.totals.objects`
// +kubebuilder:printcolumn:name="Bytes",type=integer,JSONPath=`.status.totals.bytes`
// +kubebuilder:printcolumn:name="Duration",type=string,JSONPath=`.status.duration`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BackupRun struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a run does not change; make another one"
	Spec BackupRunSpec `json:"spec"`
	// +optional
	Status BackupRunStatus `json:"status,omitempty"`
}

// BackupRunList is a list of BackupRuns.
//
// +kubebuilder:object:root=true
type BackupRunList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BackupRun `json:"items"`
}

// BackupRunSpec says what is executed.
type BackupRunSpec struct {
	// BackupRef names the Backup.
	BackupRef LocalReference `json:"backupRef"`
	// ScheduledFor is the time of the schedule that the run is for, before jitter;
	// not set for a run that somebody asked for.
	// +optional
	ScheduledFor *metav1.Time `json:"scheduledFor,omitempty"`
}

// RunPhase is how far a run or a restore has come.
//
// +kubebuilder:validation:Enum=Pending;Running;Succeeded;PartiallyFailed;Failed;Cancelled
type RunPhase string

// The phases. PartiallyFailed, Succeeded, Failed and Cancelled are final.
const (
	RunPending   RunPhase = "Pending"
	RunRunning   RunPhase = "Running"
	RunSucceeded RunPhase = "Succeeded"
	// RunPartiallyFailed is a run that saved something, but not all it should.
	RunPartiallyFailed RunPhase = "PartiallyFailed"
	RunFailed          RunPhase = "Failed"
	RunCancelled       RunPhase = "Cancelled"
)

// Done says whether a phase is final.
func (p RunPhase) Done() bool {
	return p == RunSucceeded || p == RunPartiallyFailed || p == RunFailed || p == RunCancelled
}

// BackupRunStatus is what became of a run.
type BackupRunStatus struct {
	ConditionedStatus `json:",inline"`
	// Phase the run is in.
	// +optional
	Phase RunPhase `json:"phase,omitempty"`
	// Reason of a phase that is not good, in one word.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message says why, in a sentence.
	// +optional
	Message string `json:"message,omitempty"`
	// StartTime is when the execution began.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// CompletionTime is when it ended.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// Duration of the execution.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty"`
	// Attempts counts how often it was tried.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`
	// NextAttempt is when a run that failed is tried again.
	// +optional
	NextAttempt *metav1.Time `json:"nextAttempt,omitempty"`
	// Executor is who holds or held the run.
	// +optional
	Executor string `json:"executor,omitempty"`
	// Repository is the name of the BackupRepository that holds the data.
	// +optional
	Repository string `json:"repository,omitempty"`
	// SnapshotID names the data in the repository.
	// +optional
	SnapshotID string `json:"snapshotID,omitempty"`
	// Verified is when the data was last read back and found good.
	// +optional
	Verified *metav1.Time `json:"verified,omitempty"`
	// Totals is what was saved.
	// +optional
	Totals Totals `json:"totals,omitempty"`
	// Warnings tell what was left out, the first of them.
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	// +optional
	Warnings []ResourceWarning `json:"warnings,omitempty"`
	// VolumeSnapshots that were made for the run.
	// +listType=atomic
	// +optional
	VolumeSnapshots []VolumeSnapshotRecord `json:"volumeSnapshots,omitempty"`
}

// VolumeSnapshotRecord is a VolumeSnapshot that belongs to a run.
type VolumeSnapshotRecord struct {
	// Namespace of the PersistentVolumeClaim and the VolumeSnapshot.
	Namespace string `json:"namespace"`
	// Claim is the name of the PersistentVolumeClaim.
	Claim string `json:"claim"`
	// Snapshot is the name of the VolumeSnapshot.
	Snapshot string `json:"snapshot"`
}
