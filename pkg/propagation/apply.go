package propagation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
)

// apply makes the member hold the rendered object.
func (e *Engine) apply(ctx context.Context, a *attempt) (reconcile.Result, error) {
	l := a.watch.Get(a.key)
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
	if l == nil && !e.opts.AdoptResources && !a.keepsNamespace() { // the host's is always there already
		if status, err := e.checkAdoption(ctx, a); status != "" {
			return e.fail(a, status, err)
		}
	}
	start := e.now()
	if !e.announce(a, l) {
		return reconcile.Result{}, nil // decided anew: that has queued its own item
	}
	if a.mayBeKubeFeds(l) {
		held, err := a.takeOver(ctx)
		if err != nil {
			return e.failApply(a, err)
		}
		if held != nil && !l.replaced {
			// No field was written: who retains its replicas is still to be told.
			return e.confirm(a, held, func(p *place) { p.retained = false })
		}
	}
	if a.host.fed.RetainReplicas && (!a.retained || l == nil) {
		if err := e.retainReplicas(ctx, a); err != nil && !refused(err) {
			return e.failApply(a, err)
		}
	}
	applied, refusal, err := e.applyOrReplace(ctx, a)
	e.metrics.observe(a, "apply", err, e.since(start))
	if err != nil {
		return e.failApply(a, err)
	}
	return e.confirm(a, applied, func(p *place) { p.refusal, p.retained = refusal, a.host.fed.RetainReplicas })
}

// confirm records that the member holds what is wanted, as its answer says; further
// adds what else is known by now.
func (e *Engine) confirm(a *attempt, held metav1.Object, further func(p *place)) (reconcile.Result, error) {
	if a.watch.Ended() {
		return e.park(a.t, a.item) // the answer came through another connection
	}
	seen := observe(a.t, a.watch, held)
	e.mark(a, func(p *place) {
		p.applied, p.owned, p.updated = a.hash, seen.owned, true
		further(p)
	})
	return e.finish(a, federate.ClusterPropagationOK, "")
}

// errKeptOut says that the owner of the member keeps the object out of the federation.
var errKeptOut = fmt.Errorf("the object has the label %s with another value than %q: its owner keeps it out of the federation",
	federate.ManagedLabel, federate.ManagedLabelValue)

// isManaged says whether an object bears our label, keptOut whether it bears it with
// another value.
func isManaged(object metav1.Object) bool {
	return object.GetLabels()[federate.ManagedLabel] == federate.ManagedLabelValue
}

func keptOut(object metav1.Object) bool {
	_, labelled := object.GetLabels()[federate.ManagedLabel]
	return labelled && !isManaged(object)
}

func (e *Engine) failApply(a *attempt, err error) (reconcile.Result, error) {
	if errors.Is(err, errKeptOut) {
		return e.fail(a, federate.ManagedLabelFalse, err) // until the watch tells the same
	}
	return e.fail(a, e.failure(a, err), err)
}

// write applies the rendered object, taking over the fields that are in its way. But
// the owner of the member may have labelled the object a moment ago to keep it out, and
// the watch not have told yet. So nothing is forced on an object but as it was when its
// label was looked at: a repair on the one that the watch has told of. Otherwise the
// first try is not forced, and costs no further request unless something is in its way,
// as their label is in ours.
func (a *attempt) write(ctx context.Context) (applied *metav1.PartialObjectMetadata, err error) {
	if a.repair != "" {
		applied, err = a.force(ctx, a.repair)
		if !apierrors.IsConflict(err) {
			return applied, err
		}
	}
	applied, err = a.client.Apply(ctx, a.resource, a.key, a.rendered.JSON, federate.FieldManager, false)
	switch {
	case !apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict):
		return applied, err
	case conflictsInLabel(err):
		return nil, errKeptOut
	}
	err = retries.OnConflict(func() error {
		existing, err := a.client.Get(ctx, a.resource, a.key)
		if err != nil {
			return err
		}
		if keptOut(existing) {
			return errKeptOut
		}
		applied, err = a.force(ctx, existing.ResourceVersion)
		return err
	})
	return applied, err
}

// force applies the rendered object to the one of this version, whoever owns its fields.
func (a *attempt) force(ctx context.Context, version string) (*metav1.PartialObjectMetadata, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(a.rendered.JSON); err != nil {
		return nil, err
	}
	object.SetResourceVersion(version)
	body, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return a.client.Apply(ctx, a.resource, a.key, body, federate.FieldManager, true)
}

// conflictsInLabel says whether somebody else's value of the managed label is in the way of an apply.
func conflictsInLabel(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool {
		return c.Type == metav1.CauseTypeFieldManagerConflict && c.Field == ".metadata.labels."+federate.ManagedLabel
	})
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
	case isManaged(existing):
		return "", nil // ours; the watch has not told yet
	}
	return federate.AlreadyExists, errors.New("the object exists in the cluster and is not managed by the federation; " +
		"existing objects are not adopted (syncController.adoptResources is Disabled)")
}
