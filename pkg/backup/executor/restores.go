package executor

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/retries"
)

// restores reconciles Restores: each is carried out once.
type restores struct{ *core }

func setUpRestores(mgr manager.Manager, c *core) error {
	return builder.ControllerManagedBy(mgr).Named("restore").
		For(&v1alpha1.Restore{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: 2, RateLimiter: c.limiter()}).
		Complete(&restores{c})
}

// Reconcile looks at one Restore.
func (r *restores) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := &v1alpha1.Restore{}
	if err := r.client.Get(ctx, request.NamespacedName, object); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	r.jobs.abortOthers(jobOf("Restore", request.NamespacedName), object.UID) // as with runs
	if object.UID == "" {
		return reconcile.Result{}, nil
	}
	again := reconcile.Result{RequeueAfter: r.opts.Poll}
	switch {
	case r.jobs.has(object.UID):
		if !object.DeletionTimestamp.IsZero() {
			r.jobs.abort(object.UID, errDeleted)
		}
		return again, nil
	case !object.DeletionTimestamp.IsZero(), object.Status.Phase.Done():
		return reconcile.Result{}, nil
	case object.Status.Phase == v1alpha1.RunRunning:
		changed := object.DeepCopy()
		r.end(changed, v1alpha1.RunFailed, reasonInterrupted, killedMessage(&object.Status))
		return ignoreConflict(again, r.client.Status().Update(ctx, changed))
	case !r.jobs.reserve(object.UID, jobOf("Restore", request.NamespacedName), ""):
		return again, nil
	}
	claimed, err := r.claim(ctx, object)
	if err != nil {
		r.jobs.release(object.UID)
		return ignoreConflict(again, err)
	}
	r.jobs.run(object.UID, func(ctx context.Context) { r.execute(ctx, claimed) })
	return again, nil
}

// claim makes the restore this executor's.
func (r *restores) claim(ctx context.Context, object *v1alpha1.Restore) (*v1alpha1.Restore, error) {
	claimed := object.DeepCopy()
	claimed.Status.ObservedGeneration = object.Generation
	claimed.Status.Phase, claimed.Status.Reason, claimed.Status.Message = v1alpha1.RunRunning, "", ""
	claimed.Status.Executor = r.identity
	claimed.Status.StartTime = ptr.To(metav1.NewTime(r.opts.Clock.Now()))
	return claimed, r.writeClaim(ctx, claimed)
}

func (r *restores) end(object *v1alpha1.Restore, phase v1alpha1.RunPhase, reason, message string) {
	object.Status.Phase, object.Status.Reason, object.Status.Message = phase, reason, said(message)
	object.Status.CompletionTime = ptr.To(metav1.NewTime(r.opts.Clock.Now()))
}

// anotherRestore is what to do about one that did not come to its end.
const anotherRestore = "make another Restore, whose spec.existing says what becomes of the objects that are there already"

// killedMessage says what is known of a restore whose executor could not say how it ended.
func killedMessage(status *v1alpha1.RestoreStatus) string {
	known := "how many objects it had restored is not known"
	if status.Counts != (v1alpha1.RestoreCounts{}) {
		known = "shortly before, it had told of " + countsText(status.Counts) + ", and it may have restored more"
	}
	return fmt.Sprintf("its executor %s ended before the restore did; %s; %s", status.Executor, known, anotherRestore)
}

// execute is the job of a restore.
func (r *restores) execute(ctx context.Context, object *v1alpha1.Restore) {
	log := r.log.WithValues("restore", object.Namespace+"/"+object.Name)
	log.Info("Restore started")
	result, err := r.restore(ctx, object)
	cause := context.Cause(ctx)
	ctx, cancel := writing(ctx)
	defer cancel()
	writeErr := retries.OnError(retriable, func() error {
		current := &v1alpha1.Restore{}
		if err := r.live.Get(ctx, client.ObjectKeyFromObject(object), current); err != nil {
			return client.IgnoreNotFound(err)
		}
		if current.UID != object.UID || current.Status.Phase != v1alpha1.RunRunning || current.Status.Executor != r.identity {
			return nil
		}
		r.conclude(current, result, err, cause)
		log.Info("Restore ended", "phase", current.Status.Phase, "message", current.Status.Message, "objects", current.Status.Totals.Objects)
		return r.client.Status().Update(ctx, current)
	})
	if writeErr != nil && !apierrors.IsNotFound(writeErr) {
		log.Error(writeErr, "What became of a restore could not be written")
	}
}

// conclude writes what was restored, also where it was not all.
func (r *restores) conclude(object *v1alpha1.Restore, result *restored, err, cause error) {
	if result != nil {
		object.Status.Run = result.Run
		writeResult(&object.Status, result.Result)
	}
	switch {
	case errors.Is(cause, errStopped) && result == nil: // nothing has been touched: the next executor begins
		object.Status.Phase, object.Status.Executor, object.Status.StartTime = v1alpha1.RunPending, "", nil
		object.Status.Reason, object.Status.Message = reasonInterrupted, "its executor has stopped before anything was restored"
	case errors.Is(cause, errStopped) && err != nil:
		r.end(object, v1alpha1.RunFailed, reasonInterrupted, "its executor has stopped, with "+countsText(object.Status.Counts)+"; "+anotherRestore)
	case err != nil:
		r.end(object, v1alpha1.RunFailed, reasonOf(err), err.Error())
		r.warn(object, reasonOf(err), "%s", err)
	case result.Result.Phase() != v1alpha1.RunSucceeded:
		r.end(object, result.Result.Phase(), "ObjectsFailed", restoreMessage(result.Result, object.Spec.DryRun))
		r.warn(object, "ObjectsFailed", "%s", object.Status.Message)
	default:
		r.end(object, v1alpha1.RunSucceeded, "", restoreMessage(result.Result, object.Spec.DryRun))
	}
}
