package propagation

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
)

// remove makes the member not hold the object. One that we do not manage is left alone.
func (e *Engine) remove(ctx context.Context, a *attempt) (reconcile.Result, error) {
	if bad := a.host.fed.DeleteOptionsError; bad != nil {
		// Deleting with other options than were asked for could take what is to stay.
		return e.fail(a, federate.DeletionFailed, bad)
	}
	l := a.watch.Get(a.key)
	if l == nil { // the record says it was there, the watch has not seen it: ask
		existing, err := a.client.Get(ctx, a.t.Target, a.key)
		switch {
		case apierrors.IsNotFound(err) || err == nil && !isManaged(existing):
			return e.removed(a)
		case err != nil:
			return e.fail(a, federate.RetrievalFailed, err)
		}
		l = observe(a.t, a.watch, existing)
	}
	if l.deleting || e.deletionSent(a, l) {
		return e.awaitRemoval(a)
	}
	verb, do := "delete", func(l *live) error { return a.client.Delete(ctx, a.t.Target, a.key, l, a.host.fed.DeleteOptions) }
	if a.keepsNamespace() {
		verb, do = "unlabel", func(l *live) error { return a.client.RemoveManagedLabel(ctx, a.t.Target, a.key, l) }
	}
	start := e.now()
	err := a.asManaged(ctx, l, do)
	e.metrics.observe(a, verb, err, e.since(start))
	switch {
	case apierrors.IsNotFound(err), errors.Is(err, errKeptOut), err == nil && a.keepsNamespace():
		return e.removed(a)
	case err != nil:
		e.mark(a, func(p *place) { p.removed, p.removedAt = "", time.Time{} }) // the next try sends it again
		return e.fail(a, e.failure(a, err), err)
	}
	return e.awaitRemoval(a)
}

// asManaged does something to the object that the watch has told of, as it was then.
// Where that has changed, or is another object by now, it is read and the same done to
// what bears our label: its owner may have taken it out of the federation.
func (a *attempt) asManaged(ctx context.Context, l *live, do func(l *live) error) error {
	return retries.OnConflict(func() error {
		err := do(l)
		if !apierrors.IsConflict(err) {
			return err
		}
		existing, readErr := a.client.Get(ctx, a.t.Target, a.key)
		switch {
		case readErr != nil:
			return readErr
		case !isManaged(existing):
			return errKeptOut
		}
		l = observe(a.t, a.watch, existing)
		return err
	})
}

// deletionSent says whether this very object has been deleted already, and only
// the watch has not told yet.
func (e *Engine) deletionSent(a *attempt, l *live) (sent bool) {
	e.mark(a, func(p *place) {
		sent = p.removed == l.uid && e.now().Sub(p.removedAt) < e.opts.RequestTimeout
		if !sent {
			p.removed, p.removedAt = l.uid, e.now()
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
	if l := a.watch.Get(a.key); l != nil && !l.deleting {
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
	if l := a.watch.Get(a.key); l != nil {
		a.watch.Forget(a.key, func(known *live) bool { return known.uid == l.uid }) // the watch will tell the same, later
	}
	e.mark(a, func(p *place) { *p = place{updated: true} })
	e.backoff.Forget(a.item)
	e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object})
	return reconcile.Result{}, nil
}

// disown takes the label off an object whose federated object is gone.
func (e *Engine) disown(ctx context.Context, a *attempt) (reconcile.Result, error) {
	l := a.watch.Get(a.key)
	if l == nil || !l.managed || l.deleting || a.t.IsNamespace && e.isSystemNamespace(a.key.Name) {
		return reconcile.Result{}, nil
	}
	if !a.info.Ready || !a.watch.Synced() {
		e.backoff.Forget(a.item)
		return reconcile.Result{}, nil // the next list, or the cluster's change, queues us again
	}
	start := e.now()
	err := a.client.RemoveManagedLabel(ctx, a.t.Target, a.key, l)
	e.metrics.observe(a, "unlabel", err, e.since(start))
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		e.log.Info("Could not remove the managed label from an object without a federated object; trying again",
			"cluster", a.item.ClusterName, "type", a.t.Name, "object", a.key, "error", err.Error())
		return reconcile.Result{RequeueAfter: e.backoff.When(a.item)}, nil
	}
	e.backoff.Forget(a.item)
	return reconcile.Result{}, nil
}
