package propagation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// attempt is one try of a member's item: what it needs, gathered once.
type attempt struct {
	item   Item
	t      *runningType
	host   *hostObject
	o      *object
	info   membership.Info
	client *memberClient
	watch  *memberWatch
	key    types.NamespacedName // in the member
	want   want
	hash   string
	// rendered is what is to be applied, of the API version that the template names.
	rendered federate.Rendered
	resource typeconfig.Resource
	first    bool // nothing of ours is known to be there
	retained bool // it is known that we do not own the replicas
	// irreplaceable is the hash of what is invalid also as an update.
	irreplaceable string
}

// carryOut works on a member's item: at most one write in that cluster.
func (e *Engine) carryOut(ctx context.Context, t *runningType, item Item) (reconcile.Result, error) {
	cluster := item.ClusterName.String()
	host := t.host.Get(item.Object)
	client, watched := e.watches.Get(cluster, t.Name)
	if !t.standsForTarget(item.Object) {
		return reconcile.Result{}, nil
	}
	if client == nil || watched == nil || !e.informed(t) {
		return e.park(t, item) // not engaged, or nothing is known yet
	}
	a := &attempt{item: item, t: t, host: host, client: client, watch: watched, key: t.targetKey(item.Object)}
	if host == nil {
		return e.disown(ctx, a)
	}
	if a.o = t.object(item.Object); a.o == nil {
		e.queue.Add(Item{Type: t.Name, Object: item.Object}) // not decided yet
		return reconcile.Result{}, nil
	}
	info, joined := e.clusters()[cluster]
	if !joined {
		return reconcile.Result{}, nil
	}
	a.info = info
	if !info.Ready || !watched.synced() {
		return e.park(t, item)
	}
	switch e.prepare(a) {
	case wantApplied:
		return e.apply(ctx, a)
	case wantAbsent:
		return e.remove(ctx, a)
	}
	return reconcile.Result{}, nil
}

// park puts an item aside until its cluster can be worked on: the host's item
// says so in the status, and queues it again then. A retry that comes meanwhile
// is spent, so it is noted that none is scheduled any more.
func (e *Engine) park(t *runningType, item Item) (reconcile.Result, error) {
	if o := t.object(item.Object); o != nil {
		o.mu.Lock()
		if p := o.places[item.ClusterName.String()]; p != nil {
			p.retrying = false
		}
		o.mu.Unlock()
	}
	e.backoff.Forget(item)
	e.queue.Add(Item{Type: item.Type, Object: item.Object})
	return reconcile.Result{}, nil
}

// prepare notes what is wanted now; wantNothing when there is nothing to do.
func (e *Engine) prepare(a *attempt) want {
	l := a.watch.get(a.key)
	a.o.mu.Lock()
	defer a.o.mu.Unlock()
	p := a.o.places[a.item.ClusterName.String()]
	if p == nil {
		if l != nil { // labelled as ours, but not in the placement
			e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object})
		}
		return wantNothing
	}
	host := a.t.host.Get(a.item.Object)
	if host == nil || p.want == wantApplied && host.fed.Generation != a.o.generation {
		e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object}) // the object has changed: decide again
		return wantNothing
	}
	a.host = host
	a.want, a.hash, a.first = p.want, p.hash, p.applied == ""
	switch {
	case p.want == wantApplied && p.upToDate(l):
		e.settled(a, p, federate.ClusterPropagationOK, "")
		return wantNothing
	case p.want == wantApplied:
		rendered, err := a.o.rendered(a.t, a.host, a.item.ClusterName.String())
		if err != nil || rendered.Hash != p.hash {
			e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object}) // the object has changed: decide again
			return wantNothing
		}
		a.rendered, a.resource = rendered, a.t.Target
		a.resource.GVR.Version, a.resource.GVK.Version = a.o.renderer.GVK().Version, a.o.renderer.GVK().Version
		a.retained, a.irreplaceable = p.retained, p.irreplaceable
		if !p.pending { // a drift, or a retry
			p.pending = true
			if a.o.pendingSince.IsZero() {
				a.o.pendingSince = e.now()
			}
		}
	case p.want == wantAbsent && l == nil && !p.mayBeThere():
		*p = place{}
		e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object})
		return wantNothing
	}
	return p.want
}

// apply makes the member hold the rendered object.
func (e *Engine) apply(ctx context.Context, a *attempt) (reconcile.Result, error) {
	l := a.watch.get(a.key)
	switch {
	case l != nil && (!l.managed || l.deleting):
		e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object}) // the host's item says so in the status
		return reconcile.Result{}, nil
	case e.mustWaitForNamespace(a):
		return reconcile.Result{RequeueAfter: e.opts.SettleTimeout / 2}, nil // or when the namespace appears
	}
	if wait := e.damp(a); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	hostNamespace := a.t.IsNamespace && a.info.Host // it is always there already
	if l == nil && !e.opts.AdoptResources && !hostNamespace {
		if status, err := e.checkAdoption(ctx, a); status != "" {
			return e.fail(a, status, err)
		}
	}
	start := e.now()
	if !e.announce(a, l) {
		return reconcile.Result{}, nil // decided anew: that has queued its own item
	}
	if l.mayBeKubeFeds() {
		if err := a.takeOver(ctx); err != nil {
			return e.fail(a, e.failure(a, err), err)
		}
	}
	if a.host.fed.RetainReplicas && (!a.retained || l == nil) {
		if err := e.retainReplicas(ctx, a); err != nil {
			return e.fail(a, e.failure(a, err), err)
		}
	}
	applied, err := e.applyOrReplace(ctx, a)
	e.metrics.observe(a, "apply", err, e.since(start))
	if err != nil {
		return e.fail(a, e.failure(a, err), err)
	}
	seen := a.watch.store.Observe(applied)
	e.mark(a, func(p *place) {
		p.applied, p.owned, p.updated = a.hash, seen.owned, true
		p.retained = a.host.fed.RetainReplicas
	})
	return e.finish(a, federate.ClusterPropagationOK, "")
}

// announce records, before a write, that it may arrive whatever becomes of its
// answer: the object may be there from now on, what it holds is unknown until it is
// confirmed, and so is who owns the replicas. False: something else is wanted by now.
func (e *Engine) announce(a *attempt, l *live) bool {
	return e.mark(a, func(p *place) {
		p.attempted, p.owned = true, 0
		if !a.host.fed.RetainReplicas || l == nil {
			p.retained = false
		}
	})
}

// damp returns how long a repair still waits. The first repairs are immediate;
// where something keeps changing what the template sets, each waits longer.
func (e *Engine) damp(a *attempt) time.Duration {
	var wait time.Duration
	fight := false
	e.mark(a, func(p *place) {
		if p.applied != p.hash || p.retrying {
			return // not a repair
		}
		now := e.now()
		if wait = p.repairedAt.Add(p.repairDelay).Sub(now); wait > 0 {
			p.pending = false // no status waits for it
			if a.o.pendingClusters() == 0 {
				a.o.pendingSince = time.Time{}
			}
			return
		}
		if now.Sub(p.repairedAt) > maxRepairDelay+p.repairDelay {
			p.repairDelay = 0
		}
		p.repairedAt = now
		p.repairDelay = min(max(2*p.repairDelay, minRepairDelay), maxRepairDelay)
		fight = p.repairDelay == fightDelay
	})
	if fight {
		e.warn(a.t, a.item.Object, a.host, []warning{{a.item.ClusterName.String(), "RepeatedDrift", fmt.Sprintf(
			"cluster %s: something keeps changing fields that the template sets; leave them out of the template, or set spec.retainReplicas if it is spec.replicas", a.item.ClusterName)}})
	}
	return max(wait, 0)
}

// How long a repair waits after the one before it, and when that counts as a fight.
const (
	minRepairDelay = 100 * time.Millisecond
	fightDelay     = 64 * minRepairDelay
	maxRepairDelay = time.Minute
)

// mustWaitForNamespace says whether the member's namespace is on its way, or on
// its way out: its FederatedNamespace has an item of its own.
func (e *Engine) mustWaitForNamespace(a *attempt) bool {
	if !a.t.Target.Namespaced || a.info.Host || e.isSystemNamespace(a.key.Namespace) {
		return false
	}
	_, watched := e.watches.Get(a.item.ClusterName.String(), fedcommon.NamespaceName)
	if !watched.synced() {
		return false
	}
	if namespace := watched.get(types.NamespacedName{Name: a.key.Namespace}); namespace != nil {
		return namespace.deleting // nothing can be created in it until it is gone and back
	}
	waited := time.Duration(0)
	e.mark(a, func(*place) { waited = e.now().Sub(a.o.pendingSince) })
	return waited < e.opts.SettleTimeout // then the API server's own answer says why
}

// checkAdoption looks whether an object is in the way, where existing ones are not adopted.
func (e *Engine) checkAdoption(ctx context.Context, a *attempt) (federate.PropagationStatus, error) {
	existing, err := a.client.Get(ctx, a.t.Target, a.key)
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return federate.RetrievalFailed, err
	case existing.Labels[federate.ManagedLabel] == federate.ManagedLabelValue:
		return "", nil // ours; the watch has not told yet
	}
	return federate.AlreadyExists, errors.New("the object exists in the cluster and is not managed by the federation; " +
		"existing objects are not adopted (syncController.adoptResources is Disabled)")
}

// remove makes the member not hold the object. One that we do not manage is left alone.
func (e *Engine) remove(ctx context.Context, a *attempt) (reconcile.Result, error) {
	if bad := a.host.fed.DeleteOptionsError; bad != nil {
		// Deleting with other options than were asked for could take what is to stay.
		return e.fail(a, federate.DeletionFailed, bad)
	}
	l := a.watch.get(a.key)
	if l == nil { // the record says it was there, the watch has not seen it: ask
		existing, err := a.client.Get(ctx, a.t.Target, a.key)
		switch {
		case apierrors.IsNotFound(err) || err == nil && existing.Labels[federate.ManagedLabel] != federate.ManagedLabelValue:
			return e.removed(a)
		case err != nil:
			return e.fail(a, federate.RetrievalFailed, err)
		}
		l = a.watch.store.Observe(existing)
	}
	if l.deleting || e.deletionSent(a, l) {
		return e.awaitRemoval(a)
	}
	start := e.now()
	if a.t.IsNamespace && a.info.Host {
		// The namespaces of the host are not ours to delete.
		err := a.client.RemoveManagedLabel(ctx, a.t.Target, a.key, l.uid)
		e.metrics.observe(a, "unlabel", err, e.since(start))
		if err != nil && !apierrors.IsNotFound(err) {
			return e.fail(a, federate.LabelRemovalFailed, err)
		}
		return e.removed(a)
	}
	var options = a.host.fed.DeleteOptions
	err := a.client.Delete(ctx, a.t.Target, a.key, l.uid, options)
	e.metrics.observe(a, "delete", err, e.since(start))
	switch {
	case apierrors.IsNotFound(err):
		return e.removed(a)
	case apierrors.IsConflict(err): // another object has taken the name: the watch tells
		return e.fail(a, federate.DeletionFailed, err)
	case err != nil:
		return e.fail(a, e.failure(a, err), err)
	}
	return e.awaitRemoval(a)
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
	if l := a.watch.get(a.key); l != nil && !l.deleting {
		result.RequeueAfter = e.opts.RequestTimeout // the watch should have told by then; if not, try again
	}
	return result, err
}

// beingDeleted is the message while the member takes its time.
const beingDeleted = "the object is being deleted in the cluster"

// removed records that the cluster no longer holds the object.
func (e *Engine) removed(a *attempt) (reconcile.Result, error) {
	if l := a.watch.get(a.key); l != nil {
		a.watch.store.Forget(a.key, l.uid) // the watch will tell the same, later
	}
	e.mark(a, func(p *place) { *p = place{updated: true} })
	e.backoff.Forget(a.item)
	e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object})
	return reconcile.Result{}, nil
}

// disown takes the label off an object whose federated object is gone.
func (e *Engine) disown(ctx context.Context, a *attempt) (reconcile.Result, error) {
	l := a.watch.get(a.key)
	if l == nil || !l.managed || l.deleting || !a.watch.synced() || a.t.IsNamespace && e.isSystemNamespace(a.key.Name) {
		return reconcile.Result{}, nil
	}
	start := e.now()
	err := a.client.RemoveManagedLabel(ctx, a.t.Target, a.key, l.uid)
	e.metrics.observe(a, "unlabel", err, e.since(start))
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		e.log.Info("Could not remove the managed label from an object without a federated object; trying again",
			"cluster", a.item.ClusterName, "type", a.t.Name, "object", a.key, "error", err.Error())
		return reconcile.Result{RequeueAfter: e.backoff.When(a.item)}, nil
	}
	e.backoff.Forget(a.item)
	return reconcile.Result{}, nil
}

// failure is KubeFed's word for a write that failed.
func (e *Engine) failure(a *attempt, err error) federate.PropagationStatus {
	var netErr net.Error
	late := errors.Is(err, context.DeadlineExceeded) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || errors.As(err, &netErr) && netErr.Timeout()
	words := [2]federate.PropagationStatus{federate.UpdateFailed, federate.UpdateTimedOut}
	switch {
	case a.want == wantAbsent:
		words = [2]federate.PropagationStatus{federate.DeletionFailed, federate.DeletionTimedOut}
	case a.first:
		words = [2]federate.PropagationStatus{federate.CreationFailed, federate.CreationTimedOut}
	}
	if late {
		return words[1]
	}
	return words[0]
}

// describe is an error's text without what differs from try to try: the
// request's address and the local port of a broken connection.
func describe(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Sprintf("%s: %v", op.Op, op.Err)
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err.Error()
	}
	return err.Error()
}

// fail records why a try failed and schedules the next, later each time.
func (e *Engine) fail(a *attempt, status federate.PropagationStatus, err error) (reconcile.Result, error) {
	wait := e.backoff.When(a.item)
	e.log.V(1).Info("Propagation failed; trying again", "cluster", a.item.ClusterName, "type", a.t.Name,
		"object", a.key, "status", status, "error", err.Error(), "after", wait)
	e.mark(a, func(p *place) {
		p.retrying = true
		e.settled(a, p, status, describe(err))
	})
	return reconcile.Result{RequeueAfter: wait}, nil
}

// finish records an outcome that needs no further try.
func (e *Engine) finish(a *attempt, status federate.PropagationStatus, message string) (reconcile.Result, error) {
	e.backoff.Forget(a.item)
	e.mark(a, func(p *place) {
		p.retrying = false
		e.settled(a, p, status, message)
	})
	return reconcile.Result{}, nil
}

// mark changes the record of the attempt's cluster; false, and nothing is
// changed, if something else is wanted by now.
func (e *Engine) mark(a *attempt, change func(p *place)) bool {
	a.o.mu.Lock()
	defer a.o.mu.Unlock()
	p := a.o.places[a.item.ClusterName.String()]
	if p == nil || p.want != a.want || p.hash != a.hash {
		return false // decided anew meanwhile: the newer decision has queued its own item
	}
	change(p)
	return true
}

// settled records an outcome and, when it was the object's last one, has the
// host's item write the status. The caller holds o.mu.
func (e *Engine) settled(a *attempt, p *place, status federate.PropagationStatus, message string) {
	changed := p.pending || p.status != status || p.message != message
	p.settle(status, message)
	host := Item{Type: a.t.Name, Object: a.item.Object}
	switch {
	case !changed:
	case a.o.pendingClusters() == 0:
		a.o.pendingSince = time.Time{}
		e.queue.Add(host)
	case e.now().Sub(a.o.pendingSince) >= e.opts.SettleTimeout:
		e.queue.AddAfter(host, e.opts.StatusInterval) // the status no longer waits for the others
	}
}
