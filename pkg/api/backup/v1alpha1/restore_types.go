package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Restore brings objects of a run back, into the cluster that the Restore is in.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=backup-all
// +kubebuilder:printcolumn:name="Backup",type=string,JSONPath=`.spec.from.backup`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Restored",type=integer,JSONPath=`.status.totals.objects`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Restore struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a restore does not change; make another one"
	Spec RestoreSpec `json:"spec"`
	// +optional
	Status RestoreStatus `json:"status,omitempty"`
}

// RestoreList is a list of Restores.
//
// +kubebuilder:object:root=true
type RestoreList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Restore `json:"items"`
}

// RestoreSpec says what is restored, and how.
//
// +kubebuilder:validation:XValidation:rule="!has(self.namespaces) || !has(self.namespaceMapping) || self.namespaceMapping.all(n, n in self.namespaces)",message="namespaceMapping maps a namespace that is not among namespaces, so that nothing of it is restored"
// +kubebuilder:validation:XValidation:rule="!has(self.includedResources) || !has(self.transforms) || self.transforms.all(t, !has(t.resource) || t.resource in self.includedResources)",message="transforms change a resource that is not among includedResources, so that nothing of it is restored"
type RestoreSpec struct {
	// From says which run to restore.
	From RestoreSource `json:"from"`
	// NamespaceMapping restores objects of a namespace (the key) into another one.
	// +kubebuilder:validation:MaxProperties=500
	// +optional
	NamespaceMapping map[string]string `json:"namespaceMapping,omitempty"`
	// Namespaces limits what is restored to objects of these namespaces, by their
	// names in the backup, and the namespaces themselves. Objects in no namespace are
	// then restored only if IncludedResources lists their resource.
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:MinLength=1
	// +listType=set
	// +optional
	Namespaces []string `json:"namespaces,omitempty"`
	// IncludedResources limits what is restored, each <plural>[.<group>]. Namespaces
	// that objects need are made in any case.
	// +kubebuilder:validation:MaxItems=500
	// +kubebuilder:validation:items:MaxLength=316
	// +kubebuilder:validation:items:MinLength=1
	// +listType=set
	// +optional
	IncludedResources []string `json:"includedResources,omitempty"`
	// LabelSelector limits what is restored to objects it selects.
	// +optional
	LabelSelector *metav1.LabelSelector `json:"labelSelector,omitempty"`
	// Existing says what to do with objects that exist: Skip, Update or Fail.
	// +kubebuilder:validation:Enum=Skip;Update;Fail
	// +kubebuilder:default=Skip
	// +optional
	Existing string `json:"existing,omitempty"`
	// Transforms change objects before they are written.
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	// +optional
	Transforms []Transform `json:"transforms,omitempty"`
	// RestoredBackups says what becomes of Backups that are restored into another
	// namespace or cluster than they were saved in: Suspend, since a copy would save what
	// the original saves, or Keep, which leaves them as they were saved.
	// +kubebuilder:validation:Enum=Suspend;Keep
	// +kubebuilder:default=Suspend
	// +optional
	RestoredBackups string `json:"restoredBackups,omitempty"`
	// DryRun writes nothing and only says what would be.
	// +optional
	DryRun bool `json:"dryRun,omitempty"`
}

// RestoreSource names a run.
//
// +kubebuilder:validation:XValidation:rule="(has(self.run) ? 1 : 0) + (has(self.latest) && self.latest ? 1 : 0) + (has(self.time) ? 1 : 0) == 1",message="exactly one of run, latest and time must be set"
type RestoreSource struct {
	// RepositoryRef names the BackupRepository to read from.
	RepositoryRef LocalReference `json:"repositoryRef"`
	// Cluster whose data is restored, by its UID; this cluster by default.
	// +optional
	Cluster string `json:"cluster,omitempty"`
	// Backup whose data is restored, <namespace>/<name> or a name in this namespace.
	// +kubebuilder:validation:MinLength=1
	Backup string `json:"backup"`
	// Run is the name of the BackupRun.
	// +optional
	Run string `json:"run,omitempty"`
	// Latest takes the newest good run.
	// +optional
	Latest bool `json:"latest,omitempty"`
	// Time takes the newest good run that ended before this.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// Transform is a JSON patch for some of the objects.
type Transform struct {
	// Resource whose objects are changed, <plural>[.<group>]; all by default.
	// +kubebuilder:validation:MaxLength=316
	// +optional
	Resource string `json:"resource,omitempty"`
	// Patch is a JSON patch.
	// +kubebuilder:validation:MinItems=1
	// +listType=atomic
	Patch []PatchOperation `json:"patch"`
}

// PatchOperation is an operation of a JSON patch.
type PatchOperation struct {
	// Op is add, remove or replace.
	// +kubebuilder:validation:Enum=add;remove;replace
	Op string `json:"op"`
	// Path is a JSON pointer.
	// +kubebuilder:validation:Pattern=`^/`
	Path string `json:"path"`
	// Value is the new value, for add and replace.
	// +optional
	Value *apiextensionsv1.JSON `json:"value,omitempty"`
}

// RestoreStatus is what became of a Restore.
type RestoreStatus struct {
	ConditionedStatus `json:",inline"`
	// Phase the restore is in.
	// +optional
	Phase RunPhase `json:"phase,omitempty"`
	// Reason of a phase that is not good, in one word.
	// +optional
	Reason string `json:"reason,omitempty"`
	// Message says why, in a sentence.
	// +optional
	Message string `json:"message,omitempty"`
	// Executor is who carries or carried it out.
	// +optional
	Executor string `json:"executor,omitempty"`
	// Run is the run that was chosen.
	// +optional
	Run string `json:"run,omitempty"`
	// StartTime is when it began.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`
	// CompletionTime is when it ended.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	// Totals is what was restored: created and updated objects.
	// +optional
	Totals Totals `json:"totals,omitempty"`
	// Counts says what became of the objects.
	// +optional
	Counts RestoreCounts `json:"counts,omitempty"`
	// Resources say it for each resource.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=map
	// +listMapKey=resource
	// +optional
	Resources []ResourceCounts `json:"resources,omitempty"`
	// Warnings tell what was not restored, the first of them.
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	// +optional
	Warnings []ResourceWarning `json:"warnings,omitempty"`
}

// RestoreCounts says what became of the objects that were to be restored; in a dry
// run, what would.
type RestoreCounts struct {
	// Created objects did not exist.
	// +optional
	Created int64 `json:"created,omitempty"`
	// Updated objects existed.
	// +optional
	Updated int64 `json:"updated,omitempty"`
	// Skipped objects exist, or must not be restored: a Job that has ended.
	// +optional
	Skipped int64 `json:"skipped,omitempty"`
	// Failed objects were refused.
	// +optional
	Failed int64 `json:"failed,omitempty"`
	// Deferred objects were put aside because of a fault that holds for many, such as a
	// webhook that does not answer. They are tried again after the others; in a dry run
	// they stay what they are.
	// +optional
	Deferred int64 `json:"deferred,omitempty"`
}

// ResourceCounts says what became of the objects of one resource.
type ResourceCounts struct {
	// Resource is <plural>[.<group>].
	Resource      string `json:"resource"`
	RestoreCounts `json:",inline"`
}
