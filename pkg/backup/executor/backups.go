package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/schedule"
)

// backups reconciles Backups: what is due, and their status.
type backups struct{ *core }

func setUpBackups(mgr manager.Manager, c *core) error {
	ofRun := func(_ context.Context, object client.Object) []reconcile.Request {
		run, ok := object.(*v1alpha1.BackupRun)
		if !ok {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: run.Namespace, Name: run.Spec.BackupRef.Name}}}
	}
	return builder.ControllerManagedBy(mgr).Named("backup").
		For(&v1alpha1.Backup{}).
		Watches(&v1alpha1.BackupRun{}, handler.EnqueueRequestsFromMapFunc(ofRun)).
		Watches(&v1alpha1.BackupRepository{}, handler.EnqueueRequestsFromMapFunc((&backups{c}).ofRepository)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4, RateLimiter: c.limiter()}).
		Complete(&backups{c})
}

func (r *backups) ofRepository(ctx context.Context, object client.Object) []reconcile.Request {
	var all v1alpha1.BackupList
	if err := r.client.List(ctx, &all, client.InNamespace(object.GetNamespace())); err != nil {
		return nil // it is looked at again before long
	}
	var requests []reconcile.Request
	for i := range all.Items {
		if all.Items[i].Spec.RepositoryRef.Name == object.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return requests
}

// Reconcile looks at one Backup.
func (r *backups) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	backup := &v1alpha1.Backup{}
	if err := r.client.Get(ctx, request.NamespacedName, backup); err != nil {
		if apierrors.IsNotFound(err) {
			forgetBackup(r.opts.Cluster, request.Namespace, request.Name)
			r.jobs.abortOthers(jobOf("Backup", request.NamespacedName), "")
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, err
	}
	runs, err := r.runsOf(ctx, backup.Namespace, backup.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	if !backup.DeletionTimestamp.IsZero() {
		return r.delete(ctx, backup, runs)
	}
	if err := r.setFinalizer(ctx, backup, backup.Spec.DeletionPolicy == v1alpha1.DeletionDelete); err != nil {
		return ignoreConflict(reconcile.Result{}, err)
	}
	in := statusInput{Backup: backup, Runs: runs, Now: r.opts.Clock.Now()}
	if in.Repository, err = r.repositoryOf(ctx, backup); err != nil {
		return reconcile.Result{}, err
	}
	parsed, err := schedule.Parse(backup.Spec.Schedule, backup.Spec.TimeZone)
	if err != nil {
		in.ScheduleError = err
	} else if err := r.follow(ctx, &in, parsed); err != nil {
		return reconcile.Result{}, err
	}
	verify, err := verifySchedule(&backup.Spec)
	in.VerifyError = err
	status, changes := newStatus(in)
	recordLastRun(r.opts.Cluster, backup, runs)
	if err := r.writeStatus(ctx, backup, status); err != nil {
		return ignoreConflict(reconcile.Result{}, err)
	}
	verifyAt := r.verifyScheduled(backup, runs, verify, in.Now)
	return reconcile.Result{RequeueAfter: r.sleep(in.Now, in.Decision.Next, changes, verifyAt)}, nil
}

// runsOf returns the runs of a Backup from the cache.
func (c *core) runsOf(ctx context.Context, namespace, backup string) ([]v1alpha1.BackupRun, error) {
	var all v1alpha1.BackupRunList
	if err := c.client.List(ctx, &all, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var runs []v1alpha1.BackupRun
	for i := range all.Items {
		if all.Items[i].Spec.BackupRef.Name == backup {
			runs = append(runs, all.Items[i])
		}
	}
	return runs, nil
}

func (c *core) repositoryOf(ctx context.Context, backup *v1alpha1.Backup) (*v1alpha1.BackupRepository, error) {
	repository := &v1alpha1.BackupRepository{}
	err := c.client.Get(ctx, client.ObjectKey{Namespace: backup.Namespace, Name: backup.Spec.RepositoryRef.Name}, repository)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // documented: there is none
	}
	return repository, err
}

// follow decides what is due, and creates the run if there is one.
func (r *backups) follow(ctx context.Context, in *statusInput, parsed *schedule.Schedule) error {
	backup := in.Backup
	in.Decision = schedule.Decide(scheduleInput(backup, in.Runs, parsed, r.clusterUID, in.Now))
	if last := backup.Status.LastTick; last != nil && ahead(last.Time, in.Now) {
		r.warn(backup, "ClockWrong", "status.lastTick is %s, which is to come: a clock was wrong; the schedule is followed from the last run before now",
			last.UTC().Format(time.RFC3339))
	}
	if in.Decision.Missed > 0 {
		r.events.Eventf(backup, nil, corev1.EventTypeWarning, "RunsMissed", "Schedule", "%d runs were missed and are not made up for", in.Decision.Missed)
	}
	if in.Decision.Tick.IsZero() {
		return nil
	}
	verdict := decideConcurrency(backup.Spec.ConcurrencyPolicy, active(in.Runs))
	if !verdict.Create {
		in.Skipped = 1
		r.events.Eventf(backup, nil, corev1.EventTypeNormal, "RunSkipped", "Schedule", "the run of %s was skipped: %s",
			in.Decision.Tick.UTC().Format(time.RFC3339), verdict.Why)
		return nil
	}
	for _, run := range verdict.Replace {
		if err := r.cancel(ctx, run, errReplaced); err != nil {
			return err
		}
	}
	return r.createRun(ctx, backup, in.Decision.Tick)
}

func (r *backups) createRun(ctx context.Context, backup *v1alpha1.Backup, tick time.Time) error {
	run := &v1alpha1.BackupRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: backup.Namespace, Name: RunName(backup.Name, tick)},
		Spec: v1alpha1.BackupRunSpec{
			BackupRef:    v1alpha1.LocalReference{Name: backup.Name},
			ScheduledFor: ptr.To(metav1.NewTime(tick)),
		},
	}
	err := r.client.Create(ctx, run)
	if apierrors.IsAlreadyExists(err) {
		return nil // this time is taken, by an earlier term or another executor
	}
	if err != nil {
		return fmt.Errorf("creating BackupRun %s/%s: %w", run.Namespace, run.Name, err)
	}
	r.log.Info("A run is due", "backup", backup.Namespace+"/"+backup.Name, "run", run.Name)
	return nil
}

func (r *backups) writeStatus(ctx context.Context, backup *v1alpha1.Backup, status v1alpha1.BackupStatus) error {
	changed := backup.DeepCopy()
	changed.Status = status
	recordBackup(r.opts.Cluster, changed)
	if equality.Semantic.DeepEqual(backup.Status, status) {
		return nil
	}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionWithinObjective, v1alpha1.ConditionVerified} {
		was, is := condition(backup.Status.Conditions, kind), condition(status.Conditions, kind)
		if is != nil && is.Status == metav1.ConditionFalse && (was == nil || was.Status != is.Status || was.Reason != is.Reason) {
			r.events.Eventf(backup, nil, corev1.EventTypeWarning, is.Reason, "Backup", "%s is False: %s", kind, is.Message)
		}
	}
	return r.client.Status().Update(ctx, changed)
}

// setFinalizer adds or removes our finalizer.
func (c *core) setFinalizer(ctx context.Context, backup *v1alpha1.Backup, wanted bool) error {
	changed := backup.DeepCopy()
	if !setFinalizer(changed, wanted) {
		return nil
	}
	if err := c.client.Patch(ctx, changed, client.MergeFromWithOptions(backup, client.MergeFromWithOptimisticLock{})); err != nil {
		return err
	}
	changed.DeepCopyInto(backup)
	return nil
}

// sleep is how long nothing will change by time alone.
func (c *core) sleep(now time.Time, until ...time.Time) time.Duration {
	shortest := c.opts.MaxSleep
	for _, at := range until {
		if !at.IsZero() {
			shortest = min(shortest, max(at.Sub(now), time.Millisecond))
		}
	}
	return shortest
}

// ignoreConflict waits for the cache where somebody else has written.
func ignoreConflict(result reconcile.Result, err error) (reconcile.Result, error) {
	var status apierrors.APIStatus
	if apierrors.IsConflict(err) || (errors.As(err, &status) && apierrors.IsNotFound(err)) {
		return reconcile.Result{RequeueAfter: 200 * time.Millisecond}, nil
	}
	return result, err
}
