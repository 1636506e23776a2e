// Package rollup adds up how the Backups of a FederatedBackup stand over its
// clusters: status.rollup, which kubectl shows.
//
// The package is pure: no requests, no clock. Whether a run is recent enough is the
// executor's business, which writes a condition when time alone changes the answer.
// It imports the API types and pkg/federate.
package rollup

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
)

// Target is the kind whose federated status gets a rollup from this package.
var Target = schema.GroupKind{Group: v1alpha1.GroupVersion.Group, Kind: "Backup"}

// Of is the federate.Rollup of Backups.
func Of(clusters []federate.ClusterStatus) map[string]any {
	var sum v1alpha1.BackupRollup
	placed := 0
	for i := range clusters {
		if c := &clusters[i]; !leaving(c.Status) {
			placed++
			add(&sum, c)
		}
	}
	if placed == 0 {
		return nil
	}
	if len(sum.WithoutRecoveryPoint) > 0 {
		sum.OldestRecoveryPoint = nil
	}
	if of := len(sum.WithinObjective) + len(sum.OutsideObjective) + len(sum.Unknown); of > 0 {
		sum.Objective = fmt.Sprintf("%d/%d", len(sum.WithinObjective), of)
	}
	out, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&sum)
	if err != nil {
		return nil // strings, lists of them and a time can be converted
	}
	return out
}

// leaving says that the object is to be gone from the cluster.
func leaving(status federate.PropagationStatus) bool {
	switch status {
	case federate.WaitingForRemoval, federate.DeletionFailed, federate.DeletionTimedOut, federate.LabelRemovalFailed, federate.LabelRemovalTimedOut:
		return true
	}
	return false
}

func add(sum *v1alpha1.BackupRollup, c *federate.ClusterStatus) {
	status, known := Read(c)
	if last := status.LastSuccess; last == nil || last.Time == nil {
		sum.WithoutRecoveryPoint = append(sum.WithoutRecoveryPoint, c.Name)
	} else if oldest := sum.OldestRecoveryPoint; oldest == nil || last.Time.Before(oldest) {
		sum.OldestRecoveryPoint = last.Time
	}
	if !known {
		sum.Unknown = append(sum.Unknown, c.Name)
		return
	}
	switch Objective(&status) {
	case metav1.ConditionTrue:
		sum.WithinObjective = append(sum.WithinObjective, c.Name)
	case metav1.ConditionFalse:
		sum.OutsideObjective = append(sum.OutsideObjective, c.Name)
	case metav1.ConditionUnknown:
		sum.Unknown = append(sum.Unknown, c.Name)
	}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionVerified} {
		if condition := meta.FindStatusCondition(status.Conditions, kind); condition != nil && condition.Status == metav1.ConditionFalse {
			sum.Failing = append(sum.Failing, v1alpha1.BackupFailure{Cluster: c.Name, Condition: kind, Reason: errtext.Bounded(condition.Reason, longestReason)})
		}
	}
}

// longestReason is more than any of ours; what the members say is theirs.
const longestReason = 64

// Read returns the status of a cluster's Backup as it was collected last. known says
// whether it is how the Backup stands: a cluster in any trouble cannot be asked, or
// holds an earlier policy.
func Read(c *federate.ClusterStatus) (status v1alpha1.BackupStatus, known bool) {
	raw, _ := c.RemoteStatus.(map[string]any)
	if raw == nil || runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &status) != nil {
		return v1alpha1.BackupStatus{}, false
	}
	return status, c.Status == federate.ClusterPropagationOK
}

// Objective says whether a Backup is within its objective; empty if it has none.
// Nothing is known of a Backup that no executor has looked at, which has no
// condition at all.
func Objective(status *v1alpha1.BackupStatus) metav1.ConditionStatus {
	if len(status.Conditions) == 0 {
		return metav1.ConditionUnknown
	}
	within := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionWithinObjective)
	switch {
	case within == nil:
		return ""
	case within.Status == metav1.ConditionTrue, within.Status == metav1.ConditionFalse:
		return within.Status
	}
	return metav1.ConditionUnknown
}
