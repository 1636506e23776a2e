package propagation

import (
	"context"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/membership"
)

// finalize works on a federated object that is being deleted: the members'
// objects go first, the finalizer last. With the orphan annotation the finalizer
// goes at once, and the members' objects, now without an owner, lose the label.
func (e *Engine) finalize(ctx context.Context, t *runningType, item Item, host *hostObject, o *object) (reconcile.Result, error) {
	if !host.fed.HasFinalizer {
		return reconcile.Result{}, nil
	}
	if host.fed.Orphan {
		return e.removeFinalizer(ctx, t, item, host)
	}
	queued, waiting := e.planDeletion(t, item, host, o)
	for _, cluster := range queued {
		e.queue.Add(Item{Type: item.Type, Object: item.Object, ClusterName: multicluster.ClusterName(cluster)})
	}
	if waiting == 0 {
		return e.removeFinalizer(ctx, t, item, host)
	}
	if wait := e.unsettled(o); wait > 0 {
		e.queue.AddAfter(item, wait)
		return reconcile.Result{}, nil
	}
	if left := e.opts.UnreadyDeletionTimeout; left > 0 {
		e.queue.AddAfter(item, max(left-e.now().Sub(host.deletedAt), e.opts.SettleTimeout))
	}
	return e.writeStatus(ctx, t, item, host, o, federate.AggregateSuccess, "", nil)
}

// planDeletion wants the object absent from every cluster that may hold it. It
// returns the clusters that need work and how many are still waited for.
func (e *Engine) planDeletion(t *runningType, item Item, host *hostObject, o *object) (queued []string, waiting int) {
	decision, _, _ := e.place(t, host) // an unreadable placement selects nothing; what is recorded still counts
	selected := sets.New(decision.Clusters...)
	o.mu.Lock()
	defer o.mu.Unlock()
	for name := range o.places {
		if _, joined := e.inventory.Info(name); !joined {
			delete(o.places, name)
		}
	}
	for _, info := range e.inventory.Clusters() {
		name := info.Name
		_, watched := e.watches.Get(name, t.Name)
		l, listed := watched.Look(t.targetKey(item.Object))
		p := o.places[name]
		if p == nil && l == nil {
			if (info.Ready && listed) || !selected.Has(name) {
				continue
			}
			// Selected, and nothing was ever recorded: a write may have been on its way when the last process died.
			o.place(name).attempted = true
		} else if l == nil && p.want == wantApplied && (!info.Probed || info.Ready && !listed) {
			p.attempted = true // planned before anything was known of the cluster, which is the same
		}
		if e.givenUp(host, info) {
			delete(o.places, name)
			continue
		}
		if e.planAbsent(o.place(name), info, listed, l) {
			queued = append(queued, name)
		}
		if p := o.places[name]; p.want == wantAbsent && (p.pending || p.retrying || p.status != "") {
			waiting++
		} else {
			*p = place{} // kept: without a record the next look would take it for unknown
		}
	}
	if o.pendingClusters() > 0 && o.pendingSince.IsZero() {
		o.pendingSince = e.now()
	}
	return queued, waiting
}

// givenUp says whether a deletion no longer waits for a cluster that is not ready.
func (e *Engine) givenUp(host *hostObject, info membership.Info) bool {
	limit := e.opts.UnreadyDeletionTimeout
	return limit > 0 && info.Probed && !info.Ready && e.now().Sub(host.deletedAt) > limit
}

func (e *Engine) removeFinalizer(ctx context.Context, t *runningType, item Item, host *hostObject) (reconcile.Result, error) {
	_, err := e.patchFinalizers(ctx, t, item.Object, host, without(host.finalizers, federate.Finalizer))
	if err != nil {
		return e.again(err)
	}
	return reconcile.Result{}, nil
}
