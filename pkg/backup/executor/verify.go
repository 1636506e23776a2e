package executor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/backup/restore"
	"github.com/fedctl/fedctl/pkg/backup/schedule"
)

// The modes of spec.verify.
const (
	verifyChecksum = "Checksum"
	verifyRestore  = "Restore"
	// verifyQuick is what every run does.
	verifyQuick = "Quick"
)

// verification is the result of reading a run's data back.
type verification struct {
	mode string
	at   time.Time
	err  error
}

// unfinished says that nothing was found out: the storage does not answer now, or
// the job was cancelled.
func (v *verification) unfinished() bool {
	if v.err == nil {
		return false
	}
	var here *problem
	if errors.As(v.err, &here) && here.reason != reasonDifferent {
		return true
	}
	var typed *repository.Error
	if errors.As(v.err, &typed) && !lostFor(typed.Reason) {
		return true
	}
	var restoring *restore.Error
	if errors.As(v.err, &restoring) && restoring.Reason == restore.ReasonUnreachable {
		return true
	}
	return errors.Is(v.err, context.Canceled) || errors.Is(v.err, context.DeadlineExceeded)
}

// apply writes the result to the run's status.
func (v *verification) apply(run *v1alpha1.BackupRun) {
	set := func(status metav1.ConditionStatus, reason, message string) {
		setVerified(run, status, reason, message, v.at)
	}
	switch {
	case v.err == nil && v.mode == verifyQuick:
		set(metav1.ConditionTrue, v.mode, "all of its data is in the storage; it is read back by and by")
	case v.err == nil:
		set(metav1.ConditionTrue, v.mode, "the data was read back and is as it was written")
		run.Status.Verified = ptr.To(metav1.NewTime(v.at))
	case v.unfinished() && damaged(run): // what is known of it stays true until it was read
		known := *condition(run.Status.Conditions, v1alpha1.ConditionVerified)
		set(known.Status, known.Reason, known.Message)
	case v.unfinished() && doubtful(run): // it stays so until it was read
		set(metav1.ConditionUnknown, v1alpha1.ReasonReadingBack, said("data of the repository is not as it was written, and this run could not be read again yet: "+v.err.Error()))
	case v.unfinished():
		set(metav1.ConditionUnknown, reasonOf(v.err), said(v.err.Error()))
	default:
		set(metav1.ConditionFalse, reasonOf(v.err), said(v.err.Error()))
	}
}

// setVerified writes a run's condition Verified whole: its time tells when it was last
// tried, not when the result changed.
func setVerified(run *v1alpha1.BackupRun, status metav1.ConditionStatus, reason, message string, at time.Time) {
	meta.RemoveStatusCondition(&run.Status.Conditions, v1alpha1.ConditionVerified)
	run.Status.Conditions = append(run.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionVerified, ObservedGeneration: run.Generation,
		LastTransitionTime: metav1.NewTime(at), Status: status, Reason: reason, Message: message})
}

// verify reads a snapshot back.
func (c *core) verify(ctx context.Context, r *repository.Repository, snapshot, mode string) *verification {
	v := &verification{mode: cmp.Or(mode, verifyChecksum)}
	v.err = r.Verify(ctx, snapshot, true)
	if v.err == nil && v.mode == verifyRestore {
		v.err = c.restoreAndCompare(ctx, r, snapshot)
	}
	v.at = c.opts.Clock.Now()
	return v
}

// verifyOnDemand reads back a run whose annotation asks for it.
func (r *runs) verifyOnDemand(ctx context.Context, run *v1alpha1.BackupRun) (reconcile.Result, error) {
	value, asked := run.Annotations[v1alpha1.VerifyAnnotation]
	if !asked {
		return reconcile.Result{}, nil
	}
	mode := modeOf(value)
	backup := &v1alpha1.Backup{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: run.Spec.BackupRef.Name}, backup)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	if err != nil || run.Status.SnapshotID == "" { // without its Backup nothing says where a run's data is
		return reconcile.Result{}, r.unask(ctx, run, mode)
	}
	if !r.jobs.reserve(run.UID, jobOf("BackupRun", client.ObjectKeyFromObject(run)), "") {
		return reconcile.Result{RequeueAfter: r.opts.Poll}, nil
	}
	r.jobs.run(run.UID, func(ctx context.Context) { r.verifyRun(ctx, backup, run, mode) })
	return reconcile.Result{RequeueAfter: r.opts.Poll}, nil
}

// modeOf is the mode that a value of the annotation asks for.
func modeOf(value string) string {
	if value == verifyRestore {
		return verifyRestore
	}
	return verifyChecksum
}

// unask removes the annotation if it asked for the mode that was carried out, and
// still asks for the same.
func (c *core) unask(ctx context.Context, run *v1alpha1.BackupRun, mode string) error {
	value, asked := run.Annotations[v1alpha1.VerifyAnnotation]
	if !asked || modeOf(value) != mode {
		return nil
	}
	path := "/metadata/annotations/" + strings.ReplaceAll(v1alpha1.VerifyAnnotation, "/", "~1")
	patch, err := json.Marshal([]map[string]string{{"op": "test", "path": path, "value": value}, {"op": "remove", "path": path}})
	if err != nil {
		return err
	}
	object := &v1alpha1.BackupRun{ObjectMeta: metav1.ObjectMeta{Namespace: run.Namespace, Name: run.Name}}
	if err := c.client.Patch(ctx, object, client.RawPatch(types.JSONPatchType, patch)); !apierrors.IsInvalid(err) {
		return client.IgnoreNotFound(err)
	}
	return nil // it asks for something else by now, or no more
}

// verifyRun is the job that reads a run's data back and writes what it found.
func (c *core) verifyRun(ctx context.Context, backup *v1alpha1.Backup, run *v1alpha1.BackupRun, mode string) {
	log := c.log.WithValues("run", run.Namespace+"/"+run.Name, "mode", mode)
	v := &verification{mode: mode, at: c.opts.Clock.Now()}
	r, err := c.open(ctx, run.Namespace, cmp.Or(run.Status.Repository, backup.Spec.RepositoryRef.Name))
	if err != nil {
		v.err = err
	} else {
		defer closeRepository(ctx, r)
		v = c.verify(ctx, r, run.Status.SnapshotID, mode)
	}
	if cause := context.Cause(ctx); errors.Is(cause, errStopped) || errors.Is(cause, errDeleted) {
		return // the next executor finds that it is still due, if the run is there
	}
	ctx, cancel := writing(ctx)
	defer cancel()
	if repository.Altered(v.err) && !damaged(run) && !doubtful(run) { // else the others are in doubt already
		if err := c.doubtOthers(ctx, run.Namespace, run.Status.Repository, run, "data of run "+run.Name); err != nil {
			log.Error(err, "It could not be noted that other runs of the repository are in doubt; the verification is repeated")
			return
		}
	}
	if _, err := c.updateRun(ctx, run, func(run *v1alpha1.BackupRun) bool { v.apply(run); return true }); err != nil && !apierrors.IsNotFound(err) {
		log.Error(err, "The result of a verification could not be written")
		return
	}
	if err := c.unask(ctx, run, mode); err != nil {
		log.Error(err, "The request for a verification could not be removed")
	}
	if v.err != nil {
		c.warn(backup, reasonVerifyFailed, "run %s could not be read back: %s", run.Name, v.err)
		log.Info("Verification failed", "error", v.err.Error())
	}
}

// verifyScheduled starts a verification of the newest good run if the schedule says
// that it is due, and returns when the next one is; zero if none is.
func (r *backups) verifyScheduled(backup *v1alpha1.Backup, all []v1alpha1.BackupRun, parsed *schedule.Schedule, now time.Time) time.Time {
	if parsed == nil {
		return time.Time{}
	}
	decision := schedule.Decide(verifyInput(backup, all, parsed, r.clusterUID, now))
	newest := good(all, now)
	if decision.Tick.IsZero() || len(newest) == 0 {
		return decision.Next
	}
	run := newest[0]
	if !r.jobs.reserve(run.UID, jobOf("BackupRun", client.ObjectKeyFromObject(run)), "") {
		return now.Add(r.opts.Poll)
	}
	mode := cmp.Or(backup.Spec.Verify.Mode, verifyChecksum)
	backup, run = backup.DeepCopy(), run.DeepCopy()
	r.jobs.run(run.UID, func(ctx context.Context) { r.verifyRun(ctx, backup, run, mode) })
	return decision.Next
}
