package executor

import (
	"cmp"
	"context"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/retries"
)

// defaultWithin is the time in which all data is read back.
const defaultWithin = 30 * 24 * time.Hour

// reasonDataLost is that something that was stored is not there any more.
const reasonDataLost = "DataLost"

// within is the time in which a Backup's runs read all data back.
func within(spec *v1alpha1.BackupSpec) time.Duration {
	if spec.Verify != nil && spec.Verify.Within != nil {
		return spec.Verify.Within.Duration
	}
	return defaultWithin
}

// examine finds out, before anything is written, what the repository has lost, so that
// it is written anew: packs that are gone, and what cannot be read of this run's share
// of the data and of runs that were found to be damaged. It says whether there is any.
func (x *execution) examine(ctx context.Context, r *repository.Repository) (lost bool, err error) {
	suspects := x.suspects()
	found, err := r.Examine(ctx, suspects...)
	if err != nil {
		return false, err
	}
	unfindable, err := r.Mend(ctx, x.expected())
	if err != nil {
		return false, err
	}
	if period := within(&x.backup.Spec); period > 0 {
		known := found.Contents
		if found, err = x.readShare(ctx, r, period); err != nil {
			return false, err
		}
		if found.Contents > known {
			if err := x.doubtOthers(ctx, x.backup.Namespace, x.backup.Spec.RepositoryRef.Name, x.run, "something in the repository"); err != nil {
				return false, err
			}
		}
	}
	x.altered = found.Contents > 0
	return unfindable || found.Packs+found.Contents+len(suspects) > 0, nil
}

// expected are the snapshots of this Backup's runs, but for those that are known to be
// damaged: each run looks for what the ones before it have written.
func (x *execution) expected() []string {
	var list []string
	for i := range x.others {
		run := &x.others[i]
		if run.UID != x.run.UID && run.Status.SnapshotID != "" && run.Status.Repository == x.backup.Spec.RepositoryRef.Name && !damaged(run) {
			list = append(list, run.Status.SnapshotID)
		}
	}
	return list
}

// suspects are the snapshots of runs that were found to be damaged.
func (x *execution) suspects() []string {
	var list []string
	for i := range x.others {
		if run := &x.others[i]; damaged(run) && run.Status.SnapshotID != "" && run.Status.Repository == x.backup.Spec.RepositoryRef.Name {
			list = append(list, run.Status.SnapshotID)
		}
	}
	return list
}

// damaged says whether a run could not be read back.
func damaged(run *v1alpha1.BackupRun) bool {
	c := condition(run.Status.Conditions, v1alpha1.ConditionVerified)
	return c != nil && c.Status == metav1.ConditionFalse
}

// lost says whether a run could not be read back because something of it is not in the
// storage any more, or other than it was written.
func lost(run *v1alpha1.BackupRun) bool {
	if !damaged(run) {
		return false
	}
	reason := condition(run.Status.Conditions, v1alpha1.ConditionVerified).Reason
	return lostFor(repository.Reason(reason))
}

// lostFor says whether a reason why something cannot be read is that it is not there.
func lostFor(reason repository.Reason) bool {
	return reason == repository.Corrupt || reason == repository.NotFound || reason == repository.BucketMissing
}

// readShare reads what has had its turn since somebody has read last.
func (x *execution) readShare(ctx context.Context, r *repository.Repository, period time.Duration) (repository.Damage, error) {
	object := &v1alpha1.BackupRepository{}
	key := client.ObjectKey{Namespace: x.backup.Namespace, Name: x.backup.Spec.RepositoryRef.Name}
	if err := x.live.Get(ctx, key, object); err != nil {
		return repository.Damage{}, err
	}
	now := x.opts.Clock.Now()
	after := now // the first time: everything is new, or has its turn from now on
	if last := object.Status.ReadUntil; last != nil && !ahead(last.Time, now) {
		after = last.Time
	}
	read, found, err := r.ReadShare(ctx, after, now, period)
	if err != nil {
		return found, err
	}
	x.log.V(1).Info("A share of the data was read back", "repository", key, "bytes", read, "lostPacks", found.Packs, "lostContents", found.Contents)
	return found, retries.OnError(retriable, func() error {
		if err := x.live.Get(ctx, key, object); err != nil {
			return client.IgnoreNotFound(err)
		}
		if last := object.Status.ReadUntil; last != nil && last.After(now) && !ahead(last.Time, now) {
			return nil
		}
		object.Status.ReadUntil = ptr.To(metav1.NewTime(now))
		return x.client.Status().Update(ctx, object)
	})
}

// nameDamaged finds out which runs can no longer be restored, after this one has
// written anew what it could, and notes it in them; and which can again. An error is
// about this run.
func (x *execution) nameDamaged(ctx context.Context, r *repository.Repository, written string) error {
	byID := map[string]*v1alpha1.BackupRun{}
	ids := []string{written}
	for i := range x.others {
		run := &x.others[i]
		if id := run.Status.SnapshotID; id != "" && run.UID != x.run.UID && run.Status.Repository == x.backup.Spec.RepositoryRef.Name {
			byID[id], ids = run, append(ids, id)
		}
	}
	faults, err := r.VerifyAll(ctx, ids)
	if err != nil || faults[written] != nil {
		return cmp.Or(err, faults[written])
	}
	var names []string
	for id, run := range byID {
		v := &verification{mode: verifyChecksum, at: x.opts.Clock.Now(), err: faults[id]}
		switch {
		case v.err == nil && damaged(run):
			v = x.verify(ctx, r, id, verifyChecksum)
		case v.err == nil:
			continue
		}
		if v.unfinished() {
			continue // it stays as it is
		}
		if v.err != nil {
			names = append(names, run.Name)
		}
		updated, err := x.core.updateRun(ctx, run, func(run *v1alpha1.BackupRun) bool { v.apply(run); return true })
		if err != nil {
			return err
		}
		if updated != nil {
			updated.DeepCopyInto(run) // retention looks at it
		}
	}
	if len(names) > 0 {
		x.warn(x.backup, reasonDataLost, "data is lost from the repository; these runs can no longer be restored, and what was still there was saved anew by %s: %s",
			x.run.Name, strings.Join(names[:min(len(names), maxRecent)], ", "))
	}
	return nil
}
