package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/backup/retention"
	"github.com/fedctl/fedctl/pkg/backup/schedule"
)

// maxFailedRecords is how many runs without data are kept of a Backup, as a record.
const maxFailedRecords = 10

// retain removes what the Backup's retention does not keep: first the snapshot, then
// its BackupRun, so that there is no run that claims data which is gone for longer
// than a moment. What counts is the repository: a snapshot whose BackupRun somebody
// has deleted is subject to the same rules. written is the snapshot of this run.
func (x *execution) retain(ctx context.Context, r *repository.Repository, written string) error {
	snapshots, err := r.Snapshots(ctx, repository.Filter{Namespace: x.backup.Namespace, Backup: x.backup.Name})
	if err != nil {
		return err
	}
	zone := time.UTC
	if parsed, err := schedule.Parse(x.backup.Spec.Schedule, x.backup.Spec.TimeZone); err == nil {
		zone = parsed.Location()
	}
	var forget []string
	for _, doomed := range surplus(snapshots, x.backup.Spec.Retention, failedVerification(x.others), x.opts.Clock.Now(), zone) {
		if doomed.ID == written {
			continue // its run has not been recorded yet
		}
		forget = append(forget, doomed.ID)
		x.log.Info("Snapshot is not kept", "backup", x.backup.Namespace+"/"+x.backup.Name, "run", doomed.Run, "why", doomed.Why)
	}
	if err := r.Forget(ctx, forget...); err != nil {
		return err
	}
	kept := map[string]bool{written: true}
	for _, s := range snapshots {
		kept[s.ID] = true
	}
	for _, id := range forget {
		delete(kept, id)
	}
	return errors.Join(x.removeRecords(ctx, kept), r.Maintain(ctx))
}

// removeRecords deletes the BackupRuns whose data is gone, and old ones that never
// had any.
func (x *execution) removeRecords(ctx context.Context, kept map[string]bool) error {
	var empty []retention.Run
	var errs []error
	for i := range x.others {
		run := &x.others[i]
		switch {
		case run.UID == x.run.UID || !run.Status.Phase.Done():
		case run.Status.SnapshotID == "":
			empty = append(empty, retention.Run{Name: run.Name, Time: orderTime(run)})
		case run.Status.Repository == x.backup.Spec.RepositoryRef.Name && !kept[run.Status.SnapshotID]:
			errs = append(errs, x.deleteRun(ctx, run))
		}
	}
	for _, old := range retention.Records(empty, maxFailedRecords) {
		for i := range x.others {
			if x.others[i].Name == old.Name {
				errs = append(errs, x.deleteRun(ctx, &x.others[i]))
			}
		}
	}
	return errors.Join(errs...)
}

// deleteRun deletes a BackupRun, and the VolumeSnapshots that were made for it: the
// objects that would be restored with them are gone.
func (c *core) deleteRun(ctx context.Context, run *v1alpha1.BackupRun) error {
	for _, record := range run.Status.VolumeSnapshots {
		snapshot := &unstructured.Unstructured{}
		snapshot.SetAPIVersion("snapshot.storage.k8s.io/v1")
		snapshot.SetKind("VolumeSnapshot")
		snapshot.SetNamespace(record.Namespace)
		snapshot.SetName(record.Snapshot)
		if err := c.client.Delete(ctx, snapshot); client.IgnoreNotFound(err) != nil && !meta.IsNoMatchError(err) {
			return fmt.Errorf("deleting VolumeSnapshot %s/%s of BackupRun %s: %w", record.Namespace, record.Snapshot, run.Name, err)
		}
	}
	uid := run.UID
	if err := c.client.Delete(ctx, run.DeepCopy(), client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting BackupRun %s/%s: %w", run.Namespace, run.Name, err)
	}
	return nil
}

// surplusSnapshot is one to be removed.
type surplusSnapshot struct {
	repository.Snapshot
	Why string
}

// surplus decides which snapshots of a Backup go. A run that was interrupted after
// its data was written, and tried again, has two: only the last counts.
func surplus(snapshots []repository.Snapshot, rules *v1alpha1.Retention, bad map[string]bool, now time.Time, zone *time.Location) []surplusSnapshot {
	var gone []surplusSnapshot
	latest := map[string]repository.Snapshot{}
	for _, s := range snapshots {
		if other, ok := latest[s.Run]; ok {
			older := s
			if s.EndTime.After(other.EndTime) {
				latest[s.Run], older = s, other
			}
			gone = append(gone, surplusSnapshot{older, "the run was tried again"})
			continue
		}
		latest[s.Run] = s
	}
	var candidates []retention.Run
	for _, s := range latest {
		candidates = append(candidates, retention.Run{Name: s.Run, Time: s.EndTime, Good: !s.Partial && !bad[s.ID]})
	}
	for _, verdict := range retention.Apply(candidates, rules, now, zone) {
		if !verdict.Keep {
			gone = append(gone, surplusSnapshot{latest[verdict.Name], verdict.Reason})
		}
	}
	return gone
}

// failedVerification are the snapshots that could not be read back: they are no good.
func failedVerification(runs []v1alpha1.BackupRun) map[string]bool {
	bad := map[string]bool{}
	for i := range runs {
		c := condition(runs[i].Status.Conditions, v1alpha1.ConditionVerified)
		if c != nil && c.Status == "False" && runs[i].Status.SnapshotID != "" {
			bad[runs[i].Status.SnapshotID] = true
		}
	}
	return bad
}
