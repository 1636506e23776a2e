package propagation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// apply makes the member hold the rendered object.
func (e *Engine) apply(ctx context.Context, a *attempt) (reconcile.Result, error) {
	l := a.watch.Get(a.key)
	switch {
	case l != nil && (!l.Managed || l.Deleting):
		e.queue.Add(Item{Type: a.t.Name, Object: a.item.Object}) // the host's item says so in the status
		return reconcile.Result{}, nil
	case e.mustWaitForNamespace(a):
		return reconcile.Result{RequeueAfter: e.opts.SettleTimeout / 2}, nil // or when the namespace appears
	}
	if wait := e.damp(a); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	sent, start := false, e.now()
	result := a.client.applier.Apply(ctx, a.desired(e.opts.AdoptResources), a.known(l), member.Journal{
		Sending: func(*member.Live) bool {
			sent, start = e.announce(a, l), e.now()
			return sent
		},
	})
	if sent {
		e.metrics.observe(a, "apply", member.Err(result), e.since(start))
	}
	return e.applied(a, result)
}

// desired is what the applier of the member is told of what is wanted.
func (a *attempt) desired(adopt bool) member.Desired {
	return member.Desired{
		Ref:            member.Ref{Resource: a.resource, Key: a.key},
		Rendered:       a.rendered,
		RetainReplicas: a.host.fed.RetainReplicas,
		Adopt:          adopt || a.keepsNamespace(), // the host's namespace is always there already
	}
}

// known is what the applier of the member is told of what is there.
func (a *attempt) known(l *live) member.Known {
	return member.Known{
		Live:     l.known(),
		First:    a.first,
		Repair:   a.repair,
		Retained: a.retained,
		Invalid:  a.irreplaceable == a.hash,
		Reported: l != nil && l.KubeFeds && a.reportedByKubeFed(),
	}
}

// reportedByKubeFed says whether the status is that of what is wanted, and says that
// the cluster holds it.
func (a *attempt) reportedByKubeFed() bool {
	reported := a.host.fed.Status
	cluster := a.item.ClusterName.String()
	return reported.ObservedGeneration == a.host.fed.Generation && slices.ContainsFunc(reported.Clusters, func(c federate.ClusterStatus) bool {
		return c.Name == cluster && c.Status == federate.ClusterPropagationOK
	})
}

// applied records what has become of an apply.
func (e *Engine) applied(a *attempt, result member.ApplyResult) (reconcile.Result, error) {
	retained := a.host.fed.RetainReplicas
	switch r := result.(type) {
	case member.Applied:
		return e.confirm(a, r.Object, func(p *place) { p.refusal, p.retained = "", retained })
	case member.Updated:
		return e.confirm(a, r.Object, func(p *place) { p.refusal, p.retained = r.Refusal, retained })
	case member.TakenOver:
		return e.confirm(a, r.Object, func(p *place) { p.retained = false })
	case member.Exists:
		return e.fail(a, federate.AlreadyExists, errNotAdopted)
	case member.Unread:
		return e.fail(a, federate.RetrievalFailed, r.Cause)
	case member.KeptOut:
		return e.fail(a, federate.ManagedLabelFalse, member.ErrKeptOut) // until the watch tells the same
	case member.Invalid:
		e.mark(a, func(p *place) { p.irreplaceable = a.hash })
		return e.fail(a, e.failure(a, false), r.Cause)
	case member.Failed:
		return e.fail(a, e.failure(a, r.Late()), r.Cause)
	case member.Deleting, member.Withheld:
		return reconcile.Result{}, nil // decided anew: that has queued its own item
	}
	return reconcile.Result{}, fmt.Errorf("unknown outcome %T of applying %s in cluster %s", result, a.key, a.item.ClusterName)
}

var errNotAdopted = errors.New("the object exists in the cluster and is not managed by the federation; " +
	"existing objects are not adopted (syncController.adoptResources is Disabled)")

// confirm records that the member holds what is wanted, as its answer says; further
// adds what else is known by now.
func (e *Engine) confirm(a *attempt, held metav1.Object, further func(p *place)) (reconcile.Result, error) {
	if a.watch.Ended() {
		return e.park(a.t, a.item) // the answer came through another connection
	}
	seen := observe(a.t, a.watch, held)
	e.mark(a, func(p *place) {
		p.applied, p.owned, p.updated = a.hash, seen.Owned, true
		further(p)
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
	if !watched.Synced() {
		return false
	}
	if namespace := watched.Get(types.NamespacedName{Name: a.key.Namespace}); namespace != nil {
		return namespace.Deleting // nothing can be created in it until it is gone and back
	}
	waited := time.Duration(0)
	e.mark(a, func(*place) { waited = e.now().Sub(a.o.pendingSince) })
	return waited < e.opts.SettleTimeout // then the API server's own answer says why
}
