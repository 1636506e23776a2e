package propagation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/propagation/member"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// decide works on the host's item of an object: what is to be in each cluster,
// which clusters differ, and what the status says once they have settled.
func (e *Engine) decide(ctx context.Context, t *runningType, item Item) (reconcile.Result, error) {
	if !e.informed(t) {
		return reconcile.Result{}, nil // queued again when what is missing has been read
	}
	host := t.host.Get(item.Object)
	if !t.standsForTarget(item.Object) {
		return e.misnamed(ctx, t, item, host)
	}
	if host == nil {
		e.orphan(t, item.Object)
		return reconcile.Result{}, nil
	}
	if t.IsNamespace && e.isSystemNamespace(item.Object.Name) && !host.fed.Deleting {
		return reconcile.Result{}, nil // never propagated, as in KubeFed; their contents may be
	}
	o := t.objectFor(item.Object, host)
	if host.fed.Deleting {
		return e.finalize(ctx, t, item, host, o)
	}
	if !host.fed.HasFinalizer {
		var err error
		if host, err = e.patchFinalizers(ctx, t, item.Object, host, append(slices.Clone(host.finalizers), federate.Finalizer)); err != nil {
			return e.again(err)
		}
		if host == nil {
			return reconcile.Result{}, nil
		}
	}
	decision, reason, message := e.place(t, host)
	if reason == federate.ComputePlacementFailed {
		// Nothing is touched on the strength of a placement that cannot be read.
		return e.writeStatus(ctx, t, item, host, o, reason, message, nil)
	}
	queued := e.plan(t, item, host, o, decision)
	for _, cluster := range queued {
		e.queue.Add(Item{Type: item.Type, Object: item.Object, ClusterName: multicluster.ClusterName(cluster)})
	}
	if wait := e.unsettled(o); wait > 0 {
		e.queue.AddAfter(item, wait)
		return reconcile.Result{}, nil
	}
	result, err := e.writeStatus(ctx, t, item, host, o, reason, message, decision.Unknown)
	if err != nil || !result.IsZero() {
		return result, err
	}
	statusErr := e.writeStatusObject(ctx, t, item, host) // no obstacle to the records
	result, err = e.record(ctx, t, item, host, o, decision)
	return result, errors.Join(err, statusErr)
}

// misnamed works on a FederatedNamespace that has not the name of the namespace
// it is in. As in KubeFed it stands for no namespace: neither the one it is in,
// nor the one it is called like, which is somebody else's.
func (e *Engine) misnamed(ctx context.Context, t *runningType, item Item, host *hostObject) (reconcile.Result, error) {
	switch {
	case host == nil:
		t.forget(item.Object)
		return reconcile.Result{}, nil
	case host.fed.Deleting && host.fed.HasFinalizer:
		return e.removeFinalizer(ctx, t, item, host)
	case host.fed.Deleting:
		return reconcile.Result{}, nil
	}
	return e.writeStatus(ctx, t, item, host, t.objectFor(item.Object, host), federate.ComputePlacementFailed,
		fmt.Sprintf("metadata.name: must be %q: a FederatedNamespace has the name of the namespace it is in", item.Object.Namespace), nil)
}

// informed says whether all that a decision rests on has been read. A decision
// on less could delete what a moment later turns out to be wanted.
func (e *Engine) informed(t *runningType) bool {
	if !t.host.Synced() || !e.inventory.Synced() {
		return false
	}
	if !t.Target.Namespaced {
		return true
	}
	_, known := e.namespaces.get(t.FederatedNamespace, "")
	return known
}

func (e *Engine) isSystemNamespace(name string) bool {
	switch name {
	case "kube-system", "kube-public", "default", e.opts.KubeFedNamespace:
		return true
	}
	return false
}

// place asks pkg/placement. The reason is ComputePlacementFailed when there is no answer.
func (e *Engine) place(t *runningType, host *hostObject) (placement.Decision, federate.AggregateReason, string) {
	if host.placementUnknown() {
		return placement.Decision{}, federate.ComputePlacementFailed, host.invalid.Error()
	}
	in := fleet.PlacementInput(e.inventory, host.fed.Placement)
	in.Namespaced, in.LimitedScope = t.Target.Namespaced, e.opts.TargetNamespace != ""
	if t.Target.Namespaced {
		if t.FederatedNamespace == (typeconfig.Resource{}) && !in.LimitedScope {
			return placement.Decision{}, federate.ComputePlacementFailed,
				"the type namespaces is not enabled, so it is not known which clusters hold the namespace: run fedctl enable namespaces"
		}
		ns, known := e.namespaces.get(t.FederatedNamespace, host.fed.Namespace)
		if !known {
			return placement.Decision{}, federate.ComputePlacementFailed, "the FederatedNamespaces are being read"
		}
		if ns != nil {
			if ns.placementUnknown() {
				return placement.Decision{}, federate.ComputePlacementFailed,
					fmt.Sprintf("FederatedNamespace %s/%s: %v", host.fed.Namespace, host.fed.Namespace, ns.invalid)
			}
			in.Namespace = &ns.fed.Placement
		}
	}
	decision, err := placement.Decide(in)
	if err != nil {
		return decision, federate.ComputePlacementFailed, err.Error()
	}
	if decision.NamespaceNotFederated {
		return decision, federate.NamespaceNotFederated,
			fmt.Sprintf("namespace %s has no FederatedNamespace %s/%s", host.fed.Namespace, host.fed.Namespace, host.fed.Namespace)
	}
	return decision, federate.AggregateSuccess, ""
}

// plan brings the record of every cluster up to date with the decision and
// returns the clusters that need work.
func (e *Engine) plan(t *runningType, item Item, host *hostObject, o *object, decision placement.Decision) []string {
	selected := make(map[string]bool, len(decision.Clusters))
	for _, name := range decision.Clusters {
		selected[name] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	fresh := o.generation != host.fed.Generation
	if fresh {
		o.generation, o.renderer, o.pendingSince = host.fed.Generation, nil, time.Time{}
	}
	for name := range o.places {
		if _, joined := e.inventory.Info(name); !joined {
			delete(o.places, name) // unjoined: nothing can be said of it any more
		}
	}
	var queued []string
	for _, info := range e.inventory.Clusters() {
		name := info.Name
		_, watched := e.watches.Get(name, t.Name)
		l, listed := watched.Look(t.targetKey(item.Object))
		if !selected[name] {
			p := o.places[name]
			if p == nil && l == nil {
				continue
			}
			if e.planAbsent(o.place(name), info, listed, l) {
				queued = append(queued, name)
			} else if p := o.places[name]; p.want == wantNothing && p.status == "" {
				delete(o.places, name)
			}
			continue
		}
		p := o.place(name)
		if p.want != wantApplied || p.hash == "" || fresh {
			p.want = wantApplied
			if !e.render(t, item, host, o, p, name) {
				continue
			}
		}
		if e.planApplied(p, info, watched, listed, l) {
			queued = append(queued, name)
		}
	}
	if o.pendingClusters() == 0 {
		o.pendingSince = time.Time{}
	} else if o.pendingSince.IsZero() {
		o.pendingSince = e.now()
	}
	return queued
}

// render computes what the cluster is to hold; false if it cannot be, which the status then says.
func (e *Engine) render(t *runningType, item Item, host *hostObject, o *object, p *place, cluster string) bool {
	rendered, err := o.rendered(t, host, cluster)
	if err != nil {
		var bad *federate.RenderError
		var unread *federate.ParseError
		p.want, p.hash, p.retrying = wantNothing, "", false
		switch {
		case errors.As(err, &bad):
			p.settle(bad.Status, bad.Detail())
		case errors.As(err, &unread):
			p.settle(unread.Status, unread.Error())
		default:
			p.settle(federate.ComputeResourceFailed, err.Error())
		}
		return false
	}
	if p.hash != rendered.Hash {
		p.retrying = false
		e.backoff.Forget(item.WithCluster(multicluster.ClusterName(cluster)))
		p.hash = rendered.Hash
	}
	return true
}

func (o *object) rendered(t *runningType, host *hostObject, cluster string) (federate.Rendered, error) {
	if host.invalid != nil {
		return federate.Rendered{}, host.invalid
	}
	if o.renderer == nil {
		renderer, err := federate.NewRenderer(host.fed, t.RenderTarget())
		if err != nil {
			return federate.Rendered{}, err
		}
		o.renderer = renderer
	}
	return o.renderer.For(cluster)
}

// planApplied says whether an item must be queued for a cluster that is to hold the
// object. listed: the cluster's objects had been listed when l was looked up.
func (e *Engine) planApplied(p *place, info membership.Info, watched *memberWatch, listed bool, l *live) bool {
	switch {
	case !info.Ready && !info.Probed:
		p.pending = true // the first probe decides; the cluster's change queues us again
		return false
	case !info.Ready:
		p.retrying = false
		p.settle(federate.ClusterNotReady, notReady(info))
		return false
	case !listed:
		p.pending = true // the end of the list queues us again
		if err := watched.Err(); err != nil {
			p.settle(federate.CachedRetrievalFailed, errtext.Stable(err))
		}
		return false
	case watched.Unserved():
		p.retrying = false
		p.settle(federate.CachedRetrievalFailed, errtext.Stable(watched.Err()))
		return false
	case p.upToDate(l):
		p.retrying = false
		p.settle(federate.ClusterPropagationOK, "")
		return false
	case l != nil && !l.Managed:
		p.retrying = false
		p.settle(federate.ManagedLabelFalse, member.ErrKeptOut.Error())
		return false
	case l != nil && l.Deleting:
		p.retrying = false
		p.settle(federate.WaitingForRemoval, "the object is being deleted in the cluster; it is created again when it is gone")
		return false
	case p.retrying:
		return false // the next try is scheduled
	}
	p.pending = true
	return true
}

// notReady says that a cluster is not ready in words that stay the same from
// probe to probe: a status is written again whenever it says something else.
func notReady(info membership.Info) string {
	return fmt.Sprintf("the cluster is not ready (%s), see: fedctl get clusters", info.Reason)
}

// planAbsent says whether an item must be queued for a cluster that is not to hold the
// object. listed is as in planApplied.
func (e *Engine) planAbsent(p *place, info membership.Info, listed bool, l *live) bool {
	if p.want != wantAbsent {
		p.want, p.hash, p.retrying, p.removedAt = wantAbsent, "", false, time.Time{}
	}
	switch {
	case !info.Probed && !info.Ready, info.Ready && !listed:
		p.pending = l != nil || p.mayBeThere() // what is read next decides, and queues us again
		return false
	case !info.Ready:
		if l == nil && !p.mayBeThere() {
			p.want = wantNothing // it has never been there
			p.settle("", "")
			return false
		}
		p.settle(federate.WaitingForRemoval, notReady(info)+"; to give it up: fedctl unjoin "+info.Name+" --force")
		return false
	case l == nil && !p.mayBeThere() || l != nil && !l.Managed:
		*p = place{} // gone, or no longer ours
		return false
	case p.retrying:
		return false
	case l != nil && !p.pending && (l.Deleting || p.removed == l.UID && e.now().Sub(p.removedAt) < e.opts.RequestTimeout):
		p.settle(federate.WaitingForRemoval, beingDeleted)
		return false
	}
	p.pending = true
	return true
}

// unsettled returns how long the status still waits for clusters that have not
// answered; 0 if it waits no longer.
func (e *Engine) unsettled(o *object) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pendingClusters() == 0 {
		return 0
	}
	return max(0, e.opts.SettleTimeout-e.now().Sub(o.pendingSince))
}

// orphan takes the label off what a federated object that is gone has left in members.
func (e *Engine) orphan(t *runningType, key types.NamespacedName) {
	t.forget(key)
	for _, info := range e.inventory.Clusters() {
		e.backoff.Forget(Item{Type: t.Name, Object: key, ClusterName: multicluster.ClusterName(info.Name)})
		if _, watched := e.watches.Get(info.Name, t.Name); watched.Get(t.targetKey(key)) != nil {
			e.queue.Add(Item{Type: t.Name, Object: key, ClusterName: multicluster.ClusterName(info.Name)})
		}
	}
}

// patchFinalizers sets the finalizers of a federated object. nil without an
// error: the object is gone. A conflict means that the watch is behind.
func (e *Engine) patchFinalizers(ctx context.Context, t *runningType, key types.NamespacedName, host *hostObject, finalizers []string) (*hostObject, error) {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":             host.fed.UID,
		"resourceVersion": host.resourceVersion,
		"finalizers":      finalizers,
	}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.opts.RequestTimeout)
	defer cancel()
	result, err := e.hostResource(t, key.Namespace).Patch(ctx, key.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: federate.FieldManager})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // documented: it is gone
	case err != nil:
		return nil, fmt.Errorf("setting the finalizers: %w", err)
	}
	return t.host.Observe(key, host, result.ResourceVersion, result.Finalizers, host.fed.Status), nil
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(have string) bool { return have == s })
}

// conflictDelay is how long the watch gets to catch up after a conflict. It may
// only bring the echo of our own status, which queues nothing.
const conflictDelay = 50 * time.Millisecond

// again has the controller try an item again after a failed request to the host.
func (e *Engine) again(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: conflictDelay}, nil
	}
	return reconcile.Result{}, err
}
