package executor

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/pkg/retries"
)

func setFinalizer(backup *v1alpha1.Backup, wanted bool) bool {
	if wanted {
		return controllerutil.AddFinalizer(backup, v1alpha1.Finalizer)
	}
	return controllerutil.RemoveFinalizer(backup, v1alpha1.Finalizer)
}

// delete lets a Backup go, after its data if deletionPolicy says so. Data that
// cannot be reached keeps the Backup, until it can or somebody sets Retain.
func (r *backups) delete(ctx context.Context, backup *v1alpha1.Backup, runs []v1alpha1.BackupRun) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(backup, v1alpha1.Finalizer) {
		return reconcile.Result{}, nil
	}
	if backup.Spec.DeletionPolicy != v1alpha1.DeletionDelete {
		// It may have been Delete until now, and storage that hangs answers some day.
		r.jobs.abort(backup.UID, errRetained)
		return ignoreConflict(reconcile.Result{}, r.setFinalizer(ctx, backup, false))
	}
	again := reconcile.Result{RequeueAfter: r.opts.Poll}
	for _, run := range active(runs) {
		if err := r.cancel(ctx, run, errDeleted); err != nil {
			return ignoreConflict(again, err)
		}
		if r.jobs.has(run.UID) {
			return again, nil
		}
	}
	if !r.jobs.reserve(backup.UID, jobOf("Backup", client.ObjectKeyFromObject(backup)), "") {
		return again, nil
	}
	backup = backup.DeepCopy()
	r.jobs.run(backup.UID, func(ctx context.Context) { r.deleteData(ctx, backup, runs) })
	return again, nil
}

// deleteData is the job that removes a Backup's snapshots and runs.
func (r *backups) deleteData(ctx context.Context, backup *v1alpha1.Backup, runs []v1alpha1.BackupRun) {
	err := r.forgetAll(ctx, backup)
	if err != nil && r.leaving(ctx, backup.Namespace, err) {
		// The namespace takes its repository and Secrets with it, in any order. It is
		// not to wait for ever for data that can no longer be reached from here.
		r.warn(backup, reasonStoredDataKept, "the stored data was not deleted, because its namespace is being deleted: %s", err)
		err = nil
	}
	for i := range runs {
		if err == nil {
			err = r.deleteRun(ctx, &runs[i])
		}
	}
	if err == nil {
		err = client.IgnoreNotFound(r.setFinalizer(ctx, backup, false))
	}
	if err == nil || ctx.Err() != nil || apierrors.IsConflict(err) {
		return
	}
	if err := r.explainDeletion(ctx, backup, err); err != nil {
		r.log.Error(err, "A Backup's status could not be written", "backup", backup.Namespace+"/"+backup.Name)
	}
}

// explainDeletion says in a Backup's status why it is still there and how to let it
// go. It reads the Backup again until nobody writes in between: the copy that the
// deletion began with may be old by now.
func (r *backups) explainDeletion(ctx context.Context, backup *v1alpha1.Backup, why error) error {
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reasonOf(why),
		Message: said(fmt.Sprintf("the stored data cannot be deleted: %s; to let the Backup go without deleting it, set spec.deletionPolicy to Retain", why))}
	written := false
	err := retries.OnError(retriable, func() error {
		current := &v1alpha1.Backup{}
		if err := r.live.Get(ctx, client.ObjectKeyFromObject(backup), current); err != nil {
			return client.IgnoreNotFound(err)
		}
		ready.ObservedGeneration, ready.LastTransitionTime = current.Generation, metav1.NewTime(r.opts.Clock.Now())
		if current.UID != backup.UID || !meta.SetStatusCondition(&current.Status.Conditions, ready) {
			return nil
		}
		current.Status.ObservedGeneration = current.Generation
		if err := r.client.Status().Update(ctx, current); err != nil {
			return err
		}
		written = true
		return nil
	})
	if written {
		r.warn(backup, ready.Reason, "%s", ready.Message)
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it is gone, or tried again before long
	}
	return err
}

func (r *backups) forgetAll(ctx context.Context, backup *v1alpha1.Backup) error {
	open, err := r.open(ctx, backup.Namespace, backup.Spec.RepositoryRef.Name)
	if err != nil {
		return err
	}
	defer closeRepository(ctx, open)
	snapshots, err := open.Snapshots(ctx, repository.Filter{Namespace: backup.Namespace, Backup: backup.Name})
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(snapshots))
	for _, s := range snapshots {
		ids = append(ids, s.ID)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // a directory's requests do not end with it
	}
	if err := open.Forget(ctx, ids...); err != nil {
		return err
	}
	return open.Maintain(ctx)
}

// leaving says whether data is out of reach because the namespace is being deleted.
func (r *backups) leaving(ctx context.Context, namespace string, why error) bool {
	var known *problem
	if !errors.As(why, &known) {
		return false
	}
	found := &corev1.Namespace{}
	return r.live.Get(ctx, client.ObjectKey{Name: namespace}, found) == nil && !found.DeletionTimestamp.IsZero()
}
