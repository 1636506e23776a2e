package propagation

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/errtext"
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
	// repair is the version in which the watch has told of an object that was to be as
	// it is now, and is not; empty where something else is to be done.
	repair string
	// irreplaceable is the hash of what is invalid also as an update.
	irreplaceable string
}

// carryOut works on a member's item: at most one write in that cluster.
func (e *Engine) carryOut(ctx context.Context, t *runningType, item Item) (reconcile.Result, error) {
	cluster := item.ClusterName.String()
	client, watched := e.watches.Get(cluster, t.Name)
	if !t.standsForTarget(item.Object) {
		return reconcile.Result{}, nil
	}
	if client == nil || watched == nil || !e.informed(t) {
		return e.park(t, item) // not engaged, or nothing is known yet
	}
	host := t.host.Get(item.Object) // not before it is known that they have been listed
	a := &attempt{item: item, t: t, host: host, client: client, watch: watched, key: t.targetKey(item.Object)}
	info, joined := e.inventory.Info(cluster)
	if !joined {
		return e.park(t, item)
	}
	a.info = info
	if host == nil {
		return e.disown(ctx, a)
	}
	if a.o = t.object(item.Object); a.o == nil {
		e.queue.Add(Item{Type: t.Name, Object: item.Object}) // not decided yet
		return reconcile.Result{}, nil
	}
	if !info.Ready || !watched.Synced() {
		return e.park(t, item)
	}
	switch e.prepare(a) {
	case wantApplied:
		if watched.Unserved() {
			return e.park(t, item) // the status says so; when it is served, all is queued again
		}
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
	l := a.watch.Get(a.key)
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
	if outdated(p, a.o, host) {
		p.retrying = false // if this was a retry, it is spent
		e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object})
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
			p.hash, p.retrying = "", false                           // to be rendered anew
			e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object}) // the object has changed: decide again
			return wantNothing
		}
		a.rendered, a.resource = rendered, a.t.Target
		a.resource.GVR.Version, a.resource.GVK.Version = rendered.Version, rendered.Version
		a.retained, a.irreplaceable = p.retained, p.irreplaceable
		if l != nil && l.Managed && p.applied == p.hash {
			a.repair = l.ResourceVersion()
		}
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

// outdated says whether the object has changed since it was decided what the cluster
// is to hold, so that it must be decided anew. Above all nothing is deleted any more
// that is to be orphaned, or to stay after all.
func outdated(p *place, o *object, host *hostObject) bool {
	switch {
	case host == nil || host.fed.UID != o.uid: // another one of the same name: nothing is known of it
		return true
	case p.want == wantAbsent && host.fed.Deleting:
		return host.fed.Orphan || !host.fed.HasFinalizer
	}
	return p.want != wantNothing && host.fed.Generation != o.generation
}

// failure is KubeFed's word for a write that failed, late if no answer came in time.
func (e *Engine) failure(a *attempt, late bool) federate.PropagationStatus {
	words := [2]federate.PropagationStatus{federate.UpdateFailed, federate.UpdateTimedOut}
	switch {
	case a.want == wantAbsent && a.keepsNamespace():
		words = [2]federate.PropagationStatus{federate.LabelRemovalFailed, federate.LabelRemovalTimedOut}
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

// keepsNamespace says that the object is a namespace of the host: those are not
// ours to delete, they only lose the label.
func (a *attempt) keepsNamespace() bool { return a.t.IsNamespace && a.info.Host }

// fail records why a try failed and schedules the next, later each time.
func (e *Engine) fail(a *attempt, status federate.PropagationStatus, err error) (reconcile.Result, error) {
	wait := e.backoff.When(a.item)
	e.log.V(1).Info("Propagation failed; trying again", "cluster", a.item.ClusterName, "type", a.t.Name,
		"object", a.key, "status", status, "error", err.Error(), "after", wait)
	e.mark(a, func(p *place) {
		p.retrying = true
		e.settled(a, p, status, errtext.Stable(err))
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
		e.queue.AddAfter(host, statusInterval) // the status no longer waits for the others
	}
}
