// Package v1alpha1 holds the backup API: which objects of a cluster are saved,
// when, where to and for how long, and what became of it.
//
// A Backup is a schedule and what belongs to it, a BackupRun one execution, a
// BackupRepository the place data goes to, a Restore the way back. All are
// namespaced, and all are plain Kubernetes objects of one cluster: a fleet gets
// them by federating Backup, with overrides where clusters differ.
//
// +kubebuilder:object:generate=true
// +groupName=backup.fedctl.io
package v1alpha1
