package propagation

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

// memberWorker works on the items of members: it asks the ledger what is to be done,
// has the member's applier do it, and tells the ledger what has become of it.
type memberWorker struct {
	now     func() time.Time
	log     logr.Logger
	work    *worklist
	placer  *placer
	lookout *lookout
	metrics *metricsSet
	tracing *tracing
	events  *eventSender
	// autoscalers are those of the members.
	autoscalers *autoscalers
	// adopt says that objects that exist already are taken over.
	adopt bool
	// protected are prefixes of labels and annotations that are never taken over by force.
	protected []string
}

// attempt is one try of a member's item: what it needs, gathered once.
type attempt struct {
	item   Item
	t      *runningType
	fed    *federated // as the ledger was asked about it; nil: it is gone
	acc    *account   // nil where there is no federated object
	client *memberClient
	watch  *memberWatch
	target types.NamespacedName
	// situation and seen are the cluster and what its watch shows, as the ledger was asked.
	situation ledger.Situation
	seen      *live
	task      ledger.Task
	manifest  manifest // for a task that applies
	// change is the one that the task belongs to.
	change trace.SpanContext
}

func (a *attempt) cluster() string { return a.item.ClusterName.String() }

// carryOut works on a member's item: at most one change in that cluster.
func (w *memberWorker) carryOut(ctx context.Context, t *runningType, item Item) (reconcile.Result, error) {
	if !t.standsForTarget(item.Object) {
		return reconcile.Result{}, nil
	}
	a := &attempt{item: item, t: t, target: t.TargetKey(item.Object)}
	a.client, a.watch = w.lookout.members.Get(a.cluster(), t.Name)
	info, joined := w.lookout.inventory.Info(a.cluster())
	if a.client == nil || a.watch == nil || !joined || !w.placer.informed(t) {
		return w.park(a) // not engaged, or nothing is known yet
	}
	if t.federated.Get(item.Object) == nil { // not before it is known that they have been listed
		a.situation, a.seen = w.lookout.situation(t, item.Object, info)
		return w.release(ctx, a)
	}
	if a.acc = t.account(item.Object); a.acc == nil {
		w.work.decide(t, item.Object) // not decided yet
		return reconcile.Result{}, nil
	}
	w.begin(a, info)
	switch a.task.Action() {
	case ledger.Wait:
		return reconcile.Result{RequeueAfter: a.task.Wait()}, nil
	case ledger.Apply, ledger.Repair:
		if meets, wait := w.meetsAutoscaler(a); meets {
			w.work.decide(t, item.Object)
			return reconcile.Result{}, nil
		} else if wait > 0 {
			return reconcile.Result{RequeueAfter: wait}, nil
		}
		return w.apply(ctx, a)
	case ledger.Remove, ledger.Unlabel:
		return w.remove(ctx, a)
	case ledger.Nothing:
	}
	return reconcile.Result{}, nil
}

// begin asks the ledger what is to be done.
func (w *memberWorker) begin(a *attempt, info membership.Info) {
	w.tell(a, func(l *ledger.Ledger) (next ledger.Next) {
		// Read under the lock: the host's item may have decided about a newer one by now.
		a.fed = a.t.federated.Get(a.item.Object)
		a.situation, a.seen = w.lookout.situation(a.t, a.item.Object, info)
		intent := w.placer.intent(a.t, a.fed).LeavingReplicas(a.acc.left())
		namespace := ledger.NamespaceThere
		if !w.placer.isSystemNamespace(a.target.Namespace) {
			namespace = w.lookout.namespace(a.t, a.target, info)
		}
		a.task, next = l.Begin(ledger.Try{
			Situation: a.situation, Wanted: a.fed.wanted(intent, a.situation.Membership), Namespace: namespace,
			Lacking: w.lookout.lacking(a.t, a.target, info),
			Render: func(cluster string) (_ ledger.Rendering, err error) {
				a.manifest, err = a.acc.render(a.t, intent, cluster)
				return a.manifest.rendering(), err
			},
		}, w.now())
		if a.task.Action() != ledger.Repair { // which is no part of a change, though one may be under way elsewhere
			a.change = w.tracing.underWay(a.acc)
		}
		return next
	})
}

// tell tells the ledger of an event in the attempt's cluster, and queues what follows.
func (w *memberWorker) tell(a *attempt, event func(l *ledger.Ledger) ledger.Next) {
	var next ledger.Next
	a.acc.keep(func(l *ledger.Ledger) { next = event(l) })
	w.work.follow(a.t, a.item, next)
}

// observe counts and traces a write to a member.
func (w *memberWorker) observe(a *attempt, operation string, err error, start time.Time) {
	end := w.now()
	w.metrics.observe(a, operation, err, end.Sub(start))
	w.tracing.wrote(a, operation, err, start, end)
}

// park puts an item aside until its cluster can be worked on.
func (w *memberWorker) park(a *attempt) (reconcile.Result, error) {
	next := ledger.Next{Decide: true, Forget: true}
	if acc := a.t.account(a.item.Object); acc != nil {
		acc.keep(func(l *ledger.Ledger) { next = l.Parked(a.cluster()) })
	}
	w.work.follow(a.t, a.item, next)
	return reconcile.Result{}, nil
}

// fail has the ledger note why a try has failed, and schedules the next, later each time.
func (w *memberWorker) fail(a *attempt, trouble ledger.Trouble, err error) (reconcile.Result, error) {
	wait := w.work.backoff.When(a.item)
	w.log.V(1).Info("Propagation failed; trying again", "cluster", a.cluster(), "type", a.t.Name,
		"object", a.target, "error", errtext.Stable(err), "after", wait)
	w.tell(a, func(l *ledger.Ledger) ledger.Next {
		return l.Failed(a.task, trouble, errtext.InMember(err, a.cluster()), w.now())
	})
	return reconcile.Result{RequeueAfter: wait}, nil
}
