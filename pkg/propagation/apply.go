package propagation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// apply makes the member hold what is wanted.
func (w *memberWorker) apply(ctx context.Context, a *attempt) (reconcile.Result, error) {
	if a.task.Fight() {
		w.events.warn(a.t, a.fed, []warning{{a.cluster(), "RepeatedDrift", a.fight()}})
	}
	sent, start := false, w.now()
	result := a.client.applier.Apply(ctx, w.desired(a), a.known(), member.Journal{
		Sending: func(*member.Live) bool {
			a.acc.keep(func(l *ledger.Ledger) { sent = l.Sending(a.task, a.manifest.LeavesReplicas) })
			start = w.now()
			return sent
		},
	})
	if sent {
		w.observe(a, "apply", member.Err(result), start)
	}
	return w.applied(a, result)
}

// fight says what somebody does again and again, and how to end it.
func (a *attempt) fight() string {
	if added := a.seen.says(a.manifest.LeavesReplicas); added != "" && a.t.isExact(a.fed) {
		return fmt.Sprintf("cluster %s: others keep writing fields (%s); leave them out of the template where it sets them, or else name them there, or set the annotation %s to %s",
			a.cluster(), added, federate.OwnershipAnnotation, federate.Shared)
	}
	return fmt.Sprintf("cluster %s: something keeps changing fields that the template sets; leave them out of the template, "+
		"or set spec.retainReplicas if it is spec.replicas; or another host writes there as well, of which fedctl join %s warns", a.cluster(), a.cluster())
}

// desired is what the applier of the member is told of what is wanted.
func (w *memberWorker) desired(a *attempt) member.Desired {
	return member.Desired{
		Ref:            member.Ref{Resource: a.manifest.resource, Key: a.target},
		Rendered:       a.manifest.Rendered,
		RetainReplicas: a.manifest.LeavesReplicas,
		Adopt:          w.adopt || a.situation.Keeps, // the host's namespace is always there already
		Exact:          a.t.isExact(a.fed),
		Protected:      w.protected,
		MayBeScaled:    w.mayBeScaled(a),
	}
}

// known is what the applier of the member is told of what is there.
func (a *attempt) known() member.Known {
	return member.Known{
		Live:     a.seen.known(),
		First:    a.task.First(),
		Repair:   a.task.RepairVersion(),
		Once:     a.endsOnce(),
		Retained: a.task.Retained(),
		Stripped: a.task.Stripped(),
		Invalid:  a.task.Irreplaceable(),
		Reported: a.seen != nil && a.seen.KubeFeds && a.reportedByKubeFed(),
	}
}

// endsOnce says whether the object may be done when it is gone.
func (a *attempt) endsOnce() bool {
	switch a.fed.consumption() {
	case federate.AlwaysConsumed:
		return true
	case federate.NeverConsumed:
		return false
	}
	return federate.Ends(a.t.Target.GVK.GroupKind())
}

// reportedByKubeFed says whether the status is that of what is wanted, and says that
// the cluster holds it.
func (a *attempt) reportedByKubeFed() bool {
	reported := a.fed.Status
	return reported.ObservedGeneration == a.fed.Generation && slices.ContainsFunc(reported.Clusters, func(c federate.ClusterStatus) bool {
		return c.Name == a.cluster() && c.Status == federate.ClusterPropagationOK
	})
}

// applied tells the ledger what has become of an apply.
func (w *memberWorker) applied(a *attempt, result member.ApplyResult) (reconcile.Result, error) {
	retained := a.manifest.LeavesReplicas
	switch r := result.(type) {
	case member.Applied:
		return w.confirm(a, r.Object, ledger.Holding{Unknown: r.Unknown, ServedAs: r.Version, Retained: retained})
	case member.Updated:
		return w.confirm(a, r.Object, ledger.Holding{Refusal: r.Refusal, Unknown: r.Unknown, ServedAs: r.Version, Retained: retained})
	case member.TakenOver:
		return w.confirm(a, r.Object, ledger.Holding{Unknown: r.Unknown, ServedAs: r.Version})
	case member.Stripped:
		return w.stripped(a, r.Object)
	case member.Exists:
		return w.fail(a, ledger.InTheWay, errNotAdopted)
	case member.Unserved:
		return w.fail(a, ledger.Unserved, r.Cause)
	case member.Unread:
		return w.fail(a, ledger.Unreadable, r.Cause)
	case member.KeptOut:
		return w.fail(a, ledger.KeptOut, member.ErrKeptOut) // until the watch tells the same
	case member.Invalid:
		w.tell(a, func(l *ledger.Ledger) ledger.Next { l.CannotReplace(a.task); return ledger.Next{} })
		return w.fail(a, ledger.Refused, r.Cause)
	case member.Failed:
		if w.refused(a, r.Cause) {
			return w.fail(a, ledger.Unbound, r.Cause) // an API server takes a moment to hear of a RoleBinding
		}
		return w.fail(a, troubleOf(r), r.Cause)
	case member.Vanished:
		return reconcile.Result{RequeueAfter: w.work.backoff.When(a.item)}, nil // the watch tells before that
	case member.Deleting, member.Withheld:
		return reconcile.Result{}, nil // decided anew: that has queued its own item
	}
	return reconcile.Result{}, fmt.Errorf("unknown outcome %T of applying %s in cluster %s", result, a.target, a.cluster())
}

// refused says whether a write has failed for lack of a right that is bound by namespace.
func (w *memberWorker) refused(a *attempt, err error) bool {
	info, _ := w.lookout.inventory.Info(a.cluster())
	return w.lookout.bindings.refused(a.t, info, err)
}

func troubleOf(failed member.Failed) ledger.Trouble {
	if failed.Late() {
		return ledger.Late
	}
	return ledger.Refused
}

var errNotAdopted = errors.New("the object exists in the cluster and is not managed by the federation; " +
	"existing objects are not adopted (syncController.adoptResources is Disabled)")

// confirm tells the ledger that the member holds what is wanted, as its answer says.
func (w *memberWorker) confirm(a *attempt, held metav1.Object, holding ledger.Holding) (reconcile.Result, error) {
	if a.watch.Ended() {
		return w.park(a) // the answer came through another connection
	}
	there := observe(a.t, a.watch, held)
	holding.UID, holding.Owned, holding.Trace = there.UID, there.Owned, traceOf(&there.Live)
	w.tell(a, func(l *ledger.Ledger) ledger.Next { return l.Applied(a.task, holding, w.now()) })
	return reconcile.Result{}, nil
}

// stripped tells the ledger that the member holds what is wanted without our label. The
// table is of what bears it, so it does not take the object in.
func (w *memberWorker) stripped(a *attempt, held metav1.Object) (reconcile.Result, error) {
	if a.watch.Ended() {
		return w.park(a)
	}
	w.tell(a, func(l *ledger.Ledger) ledger.Next {
		return l.Stripped(a.task, ledger.Holding{UID: held.GetUID(), Owned: liveOf(a.t.Type, a.t.kinds, held).Owned}, member.ErrStripped.Error(), w.now())
	})
	return reconcile.Result{RequeueAfter: w.work.backoff.When(a.item)}, nil
}
