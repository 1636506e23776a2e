package executor

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// repositories reconciles BackupRepositories: it opens them, which creates what is
// not there, and says what it found.
type repositories struct {
	*core
	// damage is what the last look has found, by the name of the BackupRepository.
	damage sync.Map
	// rereads are the runs that are being read because of what a look has found.
	rereads uidSet
	// tries are those that were read for that, or were to be, since they were found so.
	tries uidSet
}

func setUpRepositories(mgr manager.Manager, c *core) error {
	return builder.ControllerManagedBy(mgr).Named("backuprepository").
		For(&v1alpha1.BackupRepository{}, builder.WithPredicates(predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, asksForCheck()))).
		Watches(&v1alpha1.BackupRun{}, handler.EnqueueRequestsFromMapFunc(repositoryOfRun), builder.WithPredicates(losesOrGains())).
		WatchesRawSource(source.Channel(c.suspects, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4, RateLimiter: c.limiter()}).
		Complete(&repositories{core: c})
}

// asksForCheck passes what asks for a repository to be looked at.
func asksForCheck() predicate.Predicate {
	asked := func(of client.Object) string { return of.GetAnnotations()[v1alpha1.CheckAnnotation] }
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool { return asked(e.ObjectNew) != asked(e.ObjectOld) }}
}

// Reconcile looks at one repository, and again after a while: the Secrets that it
// names are not watched, and storage comes and goes.
func (r *repositories) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object := &v1alpha1.BackupRepository{}
	// Read live: a cache that is late does not know yet that the repository has been
	// there, and one that is lost would be begun anew.
	if err := r.live.Get(ctx, request.NamespacedName, object); err != nil || !object.DeletionTimestamp.IsZero() {
		r.trials.forget(request.NamespacedName)
		r.damage.Delete(request.NamespacedName)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if err := r.tellKnown(ctx, object); err != nil {
		return ignoreConflict(reconcile.Result{}, err)
	}
	found, err := r.look(ctx, object)
	if ctx.Err() != nil {
		return reconcile.Result{}, ctx.Err() // whatever failed, failed because we are leaving
	}
	status, now := object.Status.DeepCopy(), r.opts.Clock.Now()
	status.ObservedGeneration, status.HandledCheck = object.Generation, object.Annotations[v1alpha1.CheckAnnotation]
	c := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: reasonReady, Message: "the repository can be used",
		ObservedGeneration: object.Generation, LastTransitionTime: metav1.NewTime(now)}
	sleep := r.opts.CheckPeriod
	if err != nil {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, reasonOf(err), said(err.Error())
		sleep = min(sleep, 3*r.opts.Poll)
	} else {
		status.ClusterUID, status.Location = found.uid, found.location
		status.Totals, status.LastChecked = found.totals, ptr.To(metav1.NewTime(now))
		status.Password = found.password
		if len(found.lost.reading)+len(found.lost.doubtful) > 0 {
			sleep = min(sleep, 3*r.opts.Poll)
		}
		r.setIntact(object, status, found.lost.intact(object.Name))
	}
	if meta.SetStatusCondition(&status.Conditions, c) && err != nil {
		r.events.Eventf(object, nil, corev1.EventTypeWarning, c.Reason, "Open", "%s", c.Message)
	}
	if !equality.Semantic.DeepEqual(*status, object.Status) {
		object.Status = *status
		if err := r.client.Status().Update(ctx, object); err != nil {
			return ignoreConflict(reconcile.Result{}, err)
		}
	}
	return reconcile.Result{RequeueAfter: sleep}, nil
}

// setIntact writes a repository's condition Intact into its status.
func (r *repositories) setIntact(object *v1alpha1.BackupRepository, status *v1alpha1.BackupRepositoryStatus, c metav1.Condition) {
	c.ObservedGeneration, c.Message, c.LastTransitionTime = object.Generation, said(c.Message), metav1.NewTime(r.opts.Clock.Now())
	if meta.SetStatusCondition(&status.Conditions, c) && c.Status == metav1.ConditionFalse {
		r.events.Eventf(object, nil, corev1.EventTypeWarning, c.Reason, "Open", "%s", c.Message)
	}
}

// contents is what a repository holds.
type contents struct {
	uid, location string
	totals        v1alpha1.Totals
	lost          *losses
	// password is nil while there is one.
	password *v1alpha1.PasswordStatus
}

// look opens a repository and counts what is in it.
func (r *repositories) look(ctx context.Context, object *v1alpha1.BackupRepository) (*contents, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	config, version, err := r.access(ctx, object)
	if err != nil {
		return nil, err
	}
	var open *repository.Repository
	if object.Spec.ReadOnly {
		open, err = repository.OpenReadOnly(ctx, config)
	} else {
		open, err = repository.Open(ctx, config, repository.Owner{ClusterUID: r.clusterUID})
	}
	if err != nil {
		return nil, err
	}
	defer closeRepository(ctx, open)
	if !object.Spec.ReadOnly {
		if err := r.try(ctx, object, config, open); err != nil {
			return nil, err
		}
	}
	snapshots, err := open.Snapshots(ctx, repository.Filter{})
	if err != nil {
		return nil, err
	}
	usage, err := open.Usage(ctx)
	if err != nil {
		return nil, fmt.Errorf("counting what the repository takes: %w", err)
	}
	lost, err := r.losses(ctx, object, open, snapshots)
	if err != nil {
		return nil, err
	}
	password, err := changePassword(ctx, object, open, config, version)
	if err != nil {
		return nil, err
	}
	found := &contents{password: password, lost: lost, uid: open.ClusterUID(), location: open.Location(), totals: v1alpha1.Totals{StoredBytes: usage.Bytes}}
	for _, s := range snapshots {
		found.totals.Objects += s.Objects
		found.totals.Bytes += s.Bytes
	}
	return found, nil
}
