package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/bounded"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// Reasons of runs and restores, beside those of pkg/backup/repository.
const (
	reasonInterrupted    = "Interrupted"
	reasonTimeout        = "Timeout"
	reasonReplaced       = "Replaced"
	reasonDeleted        = "Deleted"
	reasonBackupNotFound = "BackupNotFound"
	reasonWaiting        = "Waiting"
	reasonVerifyFailed   = "VerificationFailed"
)

// runs reconciles BackupRuns: it claims and starts them, one of a Backup at a time.
type runs struct{ *core }

func setUpRuns(mgr manager.Manager, c *core) error {
	return builder.ControllerManagedBy(mgr).Named("backuprun").
		For(&v1alpha1.BackupRun{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4, RateLimiter: c.limiter()}).
		Complete(&runs{c})
}

func (c *core) limiter() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, time.Minute)
}

// Reconcile looks at one run.
func (r *runs) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	run := &v1alpha1.BackupRun{}
	if err := r.client.Get(ctx, request.NamespacedName, run); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	// Runs have no finalizer: one that is deleted is gone at once, its job is not.
	r.jobs.abortOthers(jobOf("BackupRun", request.NamespacedName), run.UID)
	if run.UID == "" {
		return reconcile.Result{}, nil
	}
	again := reconcile.Result{RequeueAfter: r.opts.Poll}
	switch {
	case r.jobs.has(run.UID):
		if !run.DeletionTimestamp.IsZero() {
			r.jobs.abort(run.UID, errDeleted)
		}
		return again, nil
	case !run.DeletionTimestamp.IsZero():
		return reconcile.Result{}, nil
	case run.Status.Phase.Done():
		return r.verifyOnDemand(ctx, run)
	case run.Status.Phase == v1alpha1.RunRunning:
		// A write that is newer than what the cache has shown makes this one fail.
		return ignoreConflict(again, r.takeOver(ctx, run))
	}
	if next := run.Status.NextAttempt; next != nil {
		// Nobody waits longer than backoffs do for what a clock has said that was wrong.
		if wait := next.Sub(r.opts.Clock.Now()); wait > 0 && wait <= r.longestBackoff(ctx, run)+maxSkew {
			return reconcile.Result{RequeueAfter: min(wait, r.opts.MaxSleep)}, nil
		}
	}
	return r.begin(ctx, run)
}

// longestBackoff is that of a run's Backup.
func (r *runs) longestBackoff(ctx context.Context, run *v1alpha1.BackupRun) time.Duration {
	backup := &v1alpha1.Backup{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: run.Spec.BackupRef.Name}, backup)
	if err != nil || backup.Spec.Retry == nil || backup.Spec.Retry.Backoff == nil {
		return maxBackoff // without its Backup it fails when it begins
	}
	return max(maxBackoff, backup.Spec.Retry.Backoff.Duration)
}

// cacheDelay is how long the cache gets to show what was written.
const cacheDelay = 100 * time.Millisecond

// begin starts a run if it is its turn.
func (r *runs) begin(ctx context.Context, run *v1alpha1.BackupRun) (reconcile.Result, error) {
	again := reconcile.Result{RequeueAfter: r.opts.Poll}
	backup := &v1alpha1.Backup{}
	key := client.ObjectKey{Namespace: run.Namespace, Name: run.Spec.BackupRef.Name}
	// Read live: it may have been created just before the run.
	if err := r.live.Get(ctx, key, backup); apierrors.IsNotFound(err) {
		return ignoreConflict(reconcile.Result{}, r.end(ctx, run, v1alpha1.RunFailed, reasonBackupNotFound,
			fmt.Sprintf("there is no Backup %s in namespace %s", key.Name, key.Namespace)))
	} else if err != nil {
		return reconcile.Result{}, err
	}
	if !backup.DeletionTimestamp.IsZero() {
		return ignoreConflict(reconcile.Result{}, r.end(ctx, run, v1alpha1.RunCancelled, reasonDeleted, "its Backup is being deleted"))
	}
	others, err := r.runsOf(ctx, run.Namespace, backup.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	if first := before(run, others, r.opts.Clock.Now()); first != nil {
		return ignoreConflict(again, r.explainWaiting(ctx, run, "run "+first.Name+" of the same Backup comes first"))
	}
	// The cache may not have shown yet that another run of the Backup was begun.
	alone := jobOf("Backup", key)
	if !r.jobs.reserve(run.UID, jobOf("BackupRun", client.ObjectKeyFromObject(run)), alone) {
		if ago, ok := r.jobs.beganFor(alone); ok && ago < 10*cacheDelay {
			return reconcile.Result{RequeueAfter: cacheDelay}, nil
		}
		return ignoreConflict(again, r.explainWaiting(ctx, run, "other runs and restores are in work"))
	}
	claimed, err := r.claim(ctx, run)
	if err != nil {
		r.jobs.release(run.UID)
		return ignoreConflict(again, err)
	}
	job := &execution{core: r.core, backup: backup, run: claimed, others: others}
	r.jobs.run(run.UID, job.execute)
	return again, nil
}

// claim makes the run this executor's. Whoever else has written the run's status
// since it was read makes it fail with a conflict.
func (r *runs) claim(ctx context.Context, run *v1alpha1.BackupRun) (*v1alpha1.BackupRun, error) {
	claimed := run.DeepCopy()
	status := &claimed.Status
	status.ObservedGeneration = run.Generation
	status.Phase, status.Reason, status.Message = v1alpha1.RunRunning, "", ""
	status.Executor, status.NextAttempt = r.identity, nil
	status.StartTime, status.CompletionTime, status.Duration = ptr.To(metav1.NewTime(r.opts.Clock.Now())), nil, nil
	status.Attempts++
	return claimed, r.writeClaim(ctx, claimed)
}

// writeClaim writes the status that makes an object this executor's. What has not
// begun when the executor stops stays as it is; what has begun is known to have.
func (c *core) writeClaim(ctx context.Context, object client.Object) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := writing(ctx)
	defer cancel()
	return c.client.Status().Update(ctx, object)
}

// explainWaiting says why a run has not begun.
func (r *runs) explainWaiting(ctx context.Context, run *v1alpha1.BackupRun, why string) error {
	if run.Status.Phase == v1alpha1.RunPending && run.Status.Message == why {
		return nil
	}
	changed := run.DeepCopy()
	changed.Status.Phase, changed.Status.Message = v1alpha1.RunPending, why
	changed.Status.Reason = cmp.Or(changed.Status.Reason, reasonWaiting)
	return r.client.Status().Update(ctx, changed)
}

// takeOver ends the attempt of an executor that is gone: this one holds the Lease,
// and has no job for the run.
func (r *runs) takeOver(ctx context.Context, run *v1alpha1.BackupRun) error {
	backup := &v1alpha1.Backup{}
	key := client.ObjectKey{Namespace: run.Namespace, Name: run.Spec.BackupRef.Name}
	if err := r.live.Get(ctx, key, backup); client.IgnoreNotFound(err) != nil {
		return err
	}
	changed := run.DeepCopy()
	r.fail(changed, backup.Spec.Retry, reasonInterrupted, "its executor "+run.Status.Executor+" ended before the run did")
	if err := r.client.Status().Update(ctx, changed); err != nil {
		return err
	}
	recordRun(r.opts.Cluster, changed)
	r.log.Info("A run was left by another executor", "run", run.Namespace+"/"+run.Name, "executor", run.Status.Executor, "phase", changed.Status.Phase)
	return nil
}

// fail ends an attempt: the run is pending again, or has failed.
func (c *core) fail(run *v1alpha1.BackupRun, retry *v1alpha1.Retry, reason, message string) {
	now := c.opts.Clock.Now()
	status := &run.Status
	status.Reason, status.Message = reason, errtext.Bounded(message, bounded.Message)
	if next, ok := nextAttempt(retry, status.Attempts, now); ok && reason != reasonTimeout {
		status.Phase, status.NextAttempt = v1alpha1.RunPending, ptr.To(metav1.NewTime(next))
		return
	}
	c.finish(run, v1alpha1.RunFailed, now)
}

func (c *core) finish(run *v1alpha1.BackupRun, phase v1alpha1.RunPhase, now time.Time) {
	status := &run.Status
	status.Phase, status.NextAttempt, status.CompletionTime = phase, nil, ptr.To(metav1.NewTime(now))
	if status.StartTime != nil {
		status.Duration = &metav1.Duration{Duration: now.Sub(status.StartTime.Time).Round(time.Second)}
	}
}

// end writes a final phase for a run that is in nobody's work.
func (c *core) end(ctx context.Context, run *v1alpha1.BackupRun, phase v1alpha1.RunPhase, reason, message string) error {
	changed := run.DeepCopy()
	changed.Status.Reason, changed.Status.Message = reason, message
	c.finish(changed, phase, c.opts.Clock.Now())
	if err := c.client.Status().Update(ctx, changed); err != nil {
		return err
	}
	recordRun(c.opts.Cluster, changed)
	return nil
}

// cancel ends a run, whether it has begun or not.
func (c *core) cancel(ctx context.Context, run *v1alpha1.BackupRun, why error) error {
	if c.jobs.has(run.UID) {
		c.jobs.abort(run.UID, why)
		return nil
	}
	if run.Status.Phase == v1alpha1.RunRunning {
		return nil // left by another executor: takeOver decides
	}
	reason := reasonReplaced
	if errors.Is(why, errDeleted) {
		reason = reasonDeleted
	}
	return c.end(ctx, run, v1alpha1.RunCancelled, reason, why.Error())
}

// warn sends an event about a run's Backup.
func (c *core) warn(object client.Object, reason, format string, args ...any) {
	c.events.Eventf(object, nil, corev1.EventTypeWarning, reason, "Run", format, args...)
}
