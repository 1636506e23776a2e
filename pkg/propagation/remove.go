package propagation

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// remove makes the member not hold the object. One that we do not manage is left alone.
func (e *Engine) remove(ctx context.Context, a *attempt) (reconcile.Result, error) {
	if bad := a.host.fed.DeleteOptionsError; bad != nil {
		// Deleting with other options than were asked for could take what is to stay.
		return e.fail(a, federate.DeletionFailed, bad)
	}
	verb := "delete"
	if a.keepsNamespace() {
		verb = "unlabel"
	}
	sent, start := false, e.now()
	result := a.client.applier.Remove(ctx, member.Unwanted{
		Ref:           member.Ref{Resource: a.t.Target, Key: a.key},
		Keep:          a.keepsNamespace(),
		DeleteOptions: a.host.fed.DeleteOptions,
	}, a.watch.Get(a.key).known(), member.Journal{
		Sending: func(known *member.Live) bool {
			sent, start = !e.deletionSent(a, known), e.now()
			return sent
		},
		Read: func(object metav1.Object) { observe(a.t, a.watch, object) },
	})
	if sent {
		e.metrics.observe(a, verb, member.Err(result), e.since(start))
	}
	switch r := result.(type) {
	case member.Gone, member.NotOurs, member.Unlabelled:
		return e.removed(a)
	case member.Deleted, member.Deleting, member.Withheld:
		return e.awaitRemoval(a)
	case member.Unread:
		return e.fail(a, federate.RetrievalFailed, r.Cause)
	case member.Failed:
		e.mark(a, func(p *place) { p.removed, p.removedAt = "", time.Time{} }) // the next try sends it again
		return e.fail(a, e.failure(a, r.Late()), r.Cause)
	}
	return reconcile.Result{}, fmt.Errorf("unknown outcome %T of removing %s from cluster %s", result, a.key, a.item.ClusterName)
}

// deletionSent says whether this very object has been deleted already, and only
// the watch has not told yet. If not, it notes that it is now.
func (e *Engine) deletionSent(a *attempt, l *member.Live) (sent bool) {
	e.mark(a, func(p *place) {
		sent = p.removed == l.UID && e.now().Sub(p.removedAt) < e.opts.RequestTimeout
		if !sent {
			p.removed, p.removedAt = l.UID, e.now()
		}
	})
	return sent
}

// awaitRemoval leaves it to the watch to tell that the object is gone; if that
// takes long, the status says what is waited for.
func (e *Engine) awaitRemoval(a *attempt) (reconcile.Result, error) {
	var wait time.Duration
	e.mark(a, func(p *place) {
		p.updated = true
		wait = e.opts.SettleTimeout/2 - e.now().Sub(p.removedAt)
	})
	if wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	result, err := e.finish(a, federate.WaitingForRemoval, beingDeleted)
	if l := a.watch.Get(a.key); l != nil && !l.Deleting {
		result.RequeueAfter = e.opts.RequestTimeout // the watch should have told by then; if not, try again
	}
	return result, err
}

// beingDeleted is the message while the member takes its time.
const beingDeleted = "the object is being deleted in the cluster"

// removed records that the cluster no longer holds the object.
func (e *Engine) removed(a *attempt) (reconcile.Result, error) {
	if a.watch.Ended() {
		return e.park(a.t, a.item) // it may have been said of another connection
	}
	if l := a.watch.Get(a.key); l != nil && l.Managed {
		a.watch.Forget(a.key, func(known *live) bool { return known.UID == l.UID }) // the watch will tell the same, later
	}
	e.mark(a, func(p *place) { *p = place{updated: true} })
	e.backoff.Forget(a.item)
	e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object})
	return reconcile.Result{}, nil
}

// disown takes the label off an object whose federated object is gone.
func (e *Engine) disown(ctx context.Context, a *attempt) (reconcile.Result, error) {
	l := a.watch.Get(a.key)
	if l == nil || !l.Managed || l.Deleting || a.t.IsNamespace && e.isSystemNamespace(a.key.Name) {
		return reconcile.Result{}, nil
	}
	if !a.info.Ready || !a.watch.Synced() {
		e.backoff.Forget(a.item)
		return reconcile.Result{}, nil // the next list, or the cluster's change, queues us again
	}
	start := e.now()
	result := a.client.applier.Release(ctx, member.Ref{Resource: a.t.Target, Key: a.key}, l.known())
	e.metrics.observe(a, "unlabel", member.Err(result), e.since(start))
	if r, ok := result.(member.Failed); ok {
		e.log.Info("Could not remove the managed label from an object without a federated object; trying again",
			"cluster", a.item.ClusterName, "type", a.t.Name, "object", a.key, "error", r.Cause.Error())
		return reconcile.Result{RequeueAfter: e.backoff.When(a.item)}, nil
	}
	e.backoff.Forget(a.item)
	return reconcile.Result{}, nil
}
