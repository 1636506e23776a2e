package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BackupRollup is status.rollup of a FederatedBackup: how its Backups stand over all
// clusters of the placement. A cluster that has no objective is in none of the first
// three lists.
type BackupRollup struct {
	// Objective counts the clusters that are within their objective, of those that
	// have one or of which nothing is known.
	Objective string `json:"objective,omitempty"`
	// WithinObjective are the clusters whose last good run is recent enough.
	WithinObjective []string `json:"withinObjective,omitempty"`
	// OutsideObjective are the clusters whose last good run is too old.
	OutsideObjective []string `json:"outsideObjective,omitempty"`
	// Unknown are the clusters that cannot be asked, do not have the Backup as it
	// should be, or have not had a run yet.
	Unknown []string `json:"unknown,omitempty"`
	// OldestRecoveryPoint is when the oldest of the clusters' last good runs ended: the
	// moment that every cluster can be brought back to or beyond. It is left out while
	// that is not known of each.
	OldestRecoveryPoint *metav1.Time `json:"oldestRecoveryPoint,omitempty"`
	// WithoutRecoveryPoint are the clusters of which no good run is known.
	WithoutRecoveryPoint []string `json:"withoutRecoveryPoint,omitempty"`
	// Failing are the clusters where something is wrong, and what.
	Failing []BackupFailure `json:"failing,omitempty"`
}

// BackupFailure is a condition of a cluster's Backup that is False.
type BackupFailure struct {
	// Cluster is the name of the KubeFedCluster.
	Cluster string `json:"cluster"`
	// Condition is Ready or Verified.
	Condition string `json:"condition"`
	// Reason is the condition's.
	Reason string `json:"reason,omitempty"`
}
