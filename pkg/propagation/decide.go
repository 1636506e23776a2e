package propagation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

// hostWorker works on the items of the host: it gathers what is to be decided of a
// federated object, has the ledger decide, queues the members' items, and has the
// status written when they have settled.
type hostWorker struct {
	settings *ledger.Settings
	now      func() time.Time
	work     *worklist
	placer   *placer
	lookout  *lookout
	host     *hostClient
	status   *statusWriter
	// statusObjects and records repeat what the status says, where somebody reads them.
	statusObjects *statusObjectWriter
	records       *recordWriter
	// leftovers are what is kept that nobody has selected.
	leftovers *leftovers
	// lookAtPolicies has the policies' statuses looked at.
	lookAtPolicies func()
	tracing        *tracing
	// scaling decides whose the replicas are.
	scaling *scalingDecider
}

// decide works on the host's item of a federated object.
func (w *hostWorker) decide(ctx context.Context, t *runningType, item Item) (reconcile.Result, error) {
	key := item.Object
	if !w.placer.informed(t) {
		return reconcile.Result{}, nil // queued again when what is missing has been read
	}
	fed := t.federated.Get(key)
	if !t.standsForTarget(key) {
		return w.misnamed(ctx, t, key, fed)
	}
	if fed == nil {
		w.gone(t, key)
		return reconcile.Result{}, nil
	}
	if t.IsNamespace && w.placer.isSystemNamespace(key.Name) && !fed.Deleting {
		return w.status.write(ctx, t, key, fed, t.accountOf(key, fed, w.settings), unplaced(federate.SystemNamespaceMessage(key.Name)))
	}
	acc := t.accountOf(key, fed, w.settings)
	if fed.Deleting {
		w.leftovers.note(t, key, nil)
		return w.finalize(ctx, t, key, fed, acc)
	}
	if !fed.HasFinalizer {
		var err error
		if fed, err = w.host.setFinalizers(ctx, t, key, fed, append(slices.Clone(fed.finalizers), federate.Finalizer)); err != nil {
			return again(err)
		}
		if fed == nil {
			return reconcile.Result{}, nil
		}
		acc.keep((*ledger.Ledger).Begun)
	}
	return w.propagate(ctx, t, key, fed, acc)
}

// propagate decides about an object that is to be there.
func (w *hostWorker) propagate(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated, acc *account) (reconcile.Result, error) {
	start := w.now()
	intent := w.placer.intent(t, fed)
	where := w.placer.place(t, fed, intent)
	if where.NamespaceNotFederated {
		// A namespace that is deleted takes its FederatedNamespace with it, maybe first. What is
		// beside it is deleted next, each as it asks for, such as leaving members what they have.
		goes, err := w.host.namespaceGoes(ctx, key.Namespace)
		if err != nil {
			return again(err)
		}
		if goes {
			where = unplaced("the namespace is being deleted in the host, and this object with it")
		}
	}
	if where.reason == federate.ComputePlacementFailed {
		// Nothing is touched on the strength of a placement that cannot be read.
		return w.status.write(ctx, t, key, fed, acc, where)
	}
	w.scaling.decide(t, key, fed, acc, intent, where.Clusters)
	said := intent.Revision() // whose the replicas are is no change that anybody asks for
	intent = intent.LeavingReplicas(acc.left())
	var plan ledger.Work
	var wait time.Duration
	var found []ledger.Found
	acc.keep(func(l *ledger.Ledger) {
		plan = l.Plan(ledger.Decision{
			Revision: intent.Revision(), Exact: t.isExact(fed), Consumed: fed.consumption(), Render: acc.renderings(t, intent),
			Clusters: w.lookout.situations(t, key, where.Clusters), // under the lock: what is answered meanwhile comes after
		}, w.now())
		wait, found = l.Waits(w.now()), l.Found()
		seen := fed.Status.ObservedGeneration == fed.Generation
		begun := acc.delivery.wants(said, seen, wait > 0 || len(plan.Queue) > 0, w.now())
		acc.change = w.tracing.decided(acc.change, begun, t, key, fed, w.now())
		w.tracing.deciding(acc.change, plan.Queue, start, w.now())
	})
	w.leftovers.note(t, key, found)
	if !plan.Again.IsZero() {
		w.work.decideAfter(t, key, plan.Again.Sub(w.now()))
	}
	for _, cluster := range plan.Renewed {
		w.work.backoff.Forget(memberItem(t, key, cluster))
	}
	for _, cluster := range plan.Queue {
		w.work.carryOut(t, key, cluster)
	}
	if wait > 0 && !plan.Record {
		w.work.decideAfter(t, key, wait)
		return reconcile.Result{}, nil
	}
	owed := acc.owes(said)
	result, err := w.status.write(ctx, t, key, fed, acc, where)
	if err != nil || !result.IsZero() {
		return result, err
	}
	if owed { // the policies wait for it, also where the status has not changed
		w.lookAtPolicies()
	}
	if plan.Record {
		w.work.decide(t, key)
		return reconcile.Result{}, nil
	}
	statusErr := w.statusObjects.write(ctx, t, key, fed) // no obstacle to the records
	result, err = w.records.write(ctx, t, key, fed, acc, where.Clusters)
	return result, errors.Join(err, statusErr)
}

// misnamed works on a FederatedNamespace that has not the name of the namespace
// it is in. As in KubeFed it stands for no namespace: neither the one it is in,
// nor the one it is called like, which is somebody else's.
func (w *hostWorker) misnamed(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated) (reconcile.Result, error) {
	switch {
	case fed == nil:
		t.forget(key)
		return reconcile.Result{}, nil
	case fed.Deleting && fed.HasFinalizer:
		return w.removeFinalizer(ctx, t, key, fed)
	case fed.Deleting:
		return reconcile.Result{}, nil
	}
	return w.status.write(ctx, t, key, fed, t.accountOf(key, fed, w.settings), unplaced(
		fmt.Sprintf("metadata.name: must be %q: a FederatedNamespace has the name of the namespace it is in", key.Namespace)))
}

// gone has the label taken off what a federated object that is gone has left in members.
func (w *hostWorker) gone(t *runningType, key types.NamespacedName) {
	w.tracing.dropped(t.account(key), w.now())
	t.forget(key)
	w.leftovers.note(t, key, nil)
	for _, s := range w.lookout.situations(t, key, nil) {
		w.work.backoff.Forget(memberItem(t, key, s.Name))
		if s.Shown {
			w.work.carryOut(t, key, s.Name)
		}
	}
}

// finalize works on a federated object that is being deleted: the members'
// objects go first, the finalizer last. With the orphan annotation the finalizer
// goes at once, and the members' objects, now without an owner, lose the label.
func (w *hostWorker) finalize(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated, acc *account) (reconcile.Result, error) {
	if !fed.HasFinalizer {
		return reconcile.Result{}, nil
	}
	w.tracing.deleting(acc, t, key, fed, w.now())
	if fed.Orphan {
		return w.removeFinalizerOf(ctx, t, key, fed, acc)
	}
	start := w.now()
	where := w.placer.place(t, fed, w.placer.intent(t, fed)) // one that cannot be read selects nothing; what is known still counts
	var queued []string
	var waiting int
	var wait time.Duration
	acc.keep(func(l *ledger.Ledger) {
		queued, waiting = l.PlanDeletion(ledger.Deletion{At: fed.deletedAt, Clusters: w.lookout.situations(t, key, where.Clusters)}, w.now())
		wait = l.Waits(w.now())
		w.tracing.deciding(acc.change, queued, start, w.now())
	})
	for _, cluster := range queued {
		w.work.carryOut(t, key, cluster)
	}
	if waiting == 0 {
		return w.removeFinalizerOf(ctx, t, key, fed, acc)
	}
	if wait > 0 {
		w.work.decideAfter(t, key, wait)
		return reconcile.Result{}, nil
	}
	if left := w.settings.UnreadyDeletionTimeout; left > 0 {
		w.work.decideAfter(t, key, max(left-w.now().Sub(fed.deletedAt), w.settings.SettleTimeout))
	}
	return w.status.write(ctx, t, key, fed, acc, placed{
		reason: federate.AggregateSuccess, message: "the deletion that was asked for at " + fed.deletedAt.UTC().Format(time.RFC3339) + " waits",
	})
}

// removeFinalizerOf ends the deletion of an object that is in no member any more, or left to them.
func (w *hostWorker) removeFinalizerOf(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated, acc *account) (reconcile.Result, error) {
	result, err := w.removeFinalizer(ctx, t, key, fed)
	if err == nil && result.IsZero() {
		w.tracing.gone(acc, w.now())
	}
	return result, err
}

func (w *hostWorker) removeFinalizer(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated) (reconcile.Result, error) {
	left := slices.DeleteFunc(slices.Clone(fed.finalizers), func(have string) bool { return have == federate.Finalizer })
	if _, err := w.host.setFinalizers(ctx, t, key, fed, left); err != nil {
		return again(err)
	}
	return reconcile.Result{}, nil
}
