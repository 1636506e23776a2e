package propagation

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// remove makes the member not hold the object. One that we do not manage is left alone.
func (w *memberWorker) remove(ctx context.Context, a *attempt) (reconcile.Result, error) {
	if bad := a.fed.DeleteOptionsError; bad != nil {
		// Deleting with other options than were asked for could take what is to stay.
		return w.fail(a, ledger.BadOptions, bad)
	}
	keep, verb := a.task.Action() == ledger.Unlabel, "delete"
	if keep {
		verb = "unlabel"
	}
	verdict, start := ledger.SendNot, w.now()
	result := a.client.applier.Remove(ctx, member.Unwanted{
		Ref:           member.Ref{Resource: a.t.Target, Key: a.target},
		Keep:          keep,
		KeepFound:     a.t.IsNamespace,
		Stripped:      a.task.Stripped(),
		DeleteOptions: a.fed.DeleteOptions,
	}, a.seen.known(), member.Journal{
		Sending: func(known *member.Live) bool {
			verdict, start = w.sendingRemoval(a, known), w.now()
			return verdict == ledger.SendNow
		},
		Read: func(object metav1.Object) { observe(a.t, a.watch, object) },
	})
	if verdict == ledger.SendNow {
		w.observe(a, verb, member.Err(result), start)
	}
	switch r := result.(type) {
	case member.Unlabelled:
		if !keep {
			w.events.warn(a.t, a.fed, []warning{{a.cluster(), "NamespaceKept", fmt.Sprintf(
				"cluster %s: Namespace %s was there before it was federated, so it is not deleted; it is no longer managed", a.cluster(), a.target.Name)}})
		}
		return w.removed(a)
	case member.Gone, member.NotOurs:
		return w.removed(a)
	case member.Deleted, member.Deleting:
		return w.awaitRemoval(a)
	case member.Withheld:
		if verdict == ledger.SentAlready {
			return w.awaitRemoval(a)
		}
		return reconcile.Result{}, nil // it is to stay after all
	case member.Unserved:
		return w.fail(a, ledger.Unserved, r.Cause)
	case member.Unread:
		return w.fail(a, ledger.Unreadable, r.Cause)
	case member.Failed:
		w.refused(a, r.Cause) // what was written as the namespace left is bound to be removed
		return w.fail(a, troubleOf(r), r.Cause)
	}
	return reconcile.Result{}, fmt.Errorf("unknown outcome %T of removing %s from cluster %s", result, a.target, a.cluster())
}

// sendingRemoval asks the ledger whether the removal is to be sent.
func (w *memberWorker) sendingRemoval(a *attempt, known *member.Live) (verdict ledger.Sent) {
	w.tell(a, func(l *ledger.Ledger) (next ledger.Next) {
		fed := a.t.federated.Get(a.item.Object)
		info, _ := w.lookout.inventory.Info(a.cluster())
		wanted := fed.wanted(w.placer.intent(a.t, fed).LeavingReplicas(a.acc.left()), membershipOf(info))
		verdict, next = l.SendingRemoval(a.task, wanted, sightingOfLive(known), w.now())
		return next
	})
	return verdict
}

// awaitRemoval leaves it to the watch to tell that the object is gone, and looks again
// if that takes long.
func (w *memberWorker) awaitRemoval(a *attempt) (result reconcile.Result, err error) {
	shown := sightingOfLive(a.watch.Get(a.target).known())
	w.tell(a, func(l *ledger.Ledger) (next ledger.Next) {
		result.RequeueAfter, next = l.Removing(a.task, shown, w.now())
		return next
	})
	if a.task.Stripped() != "" && result.RequeueAfter == 0 {
		result.RequeueAfter = w.work.backoff.When(a.item) // no watch will tell
	}
	return result, nil
}

// removed tells the ledger that the cluster no longer holds the object.
func (w *memberWorker) removed(a *attempt) (reconcile.Result, error) {
	if a.watch.Ended() {
		return w.park(a) // it may have been said of another connection
	}
	if gone := a.watch.Get(a.target); gone != nil {
		// The watch will tell the same, later. That an owner keeps the object out stays known.
		a.watch.Forget(a.target, func(known *live) bool { return known.UID == gone.UID && known.Managed })
	}
	w.tell(a, func(l *ledger.Ledger) ledger.Next { return l.Removed(a.task, w.now()) })
	return reconcile.Result{}, nil
}

// release takes the label off an object whose federated object is gone.
func (w *memberWorker) release(ctx context.Context, a *attempt) (reconcile.Result, error) {
	if a.t.IsNamespace && w.placer.isSystemNamespace(a.target.Name) || ledger.Release(a.situation) != ledger.Unlabel {
		w.work.backoff.Forget(a.item)
		return reconcile.Result{}, nil // the next list, or the cluster's change, queues us again
	}
	start := w.now()
	result := a.client.applier.Release(ctx, member.Ref{Resource: a.t.Target, Key: a.target}, a.seen.known())
	w.observe(a, "unlabel", member.Err(result), start)
	switch result.(type) {
	case member.Failed, member.Unserved:
		w.refused(a, member.Err(result))
		w.log.Info("Could not remove the managed label from an object without a federated object; trying again",
			"cluster", a.cluster(), "type", a.t.Name, "object", a.target, "error", errtext.Stable(member.Err(result)))
		return reconcile.Result{RequeueAfter: w.work.backoff.When(a.item)}, nil
	}
	w.work.backoff.Forget(a.item)
	return reconcile.Result{}, nil
}
