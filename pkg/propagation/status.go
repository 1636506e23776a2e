package propagation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

// statusWriter folds what the ledger says of the clusters into the status of a federated
// object, and writes it, once, if it says something new.
type statusWriter struct {
	now     func() time.Time
	work    *worklist
	lookout *lookout
	host    *hostClient
	events  *eventSender
	metrics *metricsSet
	// rollups add up what the members say of the objects of a target.
	rollups map[schema.GroupKind]federate.Rollup
	tracing *tracing
	// onScaling is told that the replicas have become a cluster's, or no longer are; may be nil.
	onScaling func(typeName string, key types.NamespacedName)
}

// write brings the status of an object up to date, and sends an event for each cluster
// of which it says something new. It is called for the host's item, of which only one is
// in work for an object at a time. The account is locked only to read it: what the
// members say of their objects may be large.
func (w *statusWriter) write(ctx context.Context, t *runningType, key types.NamespacedName, fed *federated, acc *account, where placed) (reconcile.Result, error) {
	look := func(cluster string) ledger.Sighting { s, _ := w.lookout.look(t, key, cluster); return s }
	var outcomes []federate.Outcome
	var refusals, versions, unknown, ignored []string
	var written *federate.Status
	var told string
	acc.keep(func(l *ledger.Ledger) {
		outcomes, refusals, ignored = l.Outcomes(), l.Refusals(look), acc.ignored()
		acc.noted(outcomes)
		versions = federate.DescribeServedAs(l.ServedAs())
		unknown = federate.DescribeUnknown(l.Unknown())
		written, told = acc.written, acc.told
	})

	faults, faultReason := faultsOf(problems(where.Unknown), t.misread(fed), acc.scaling.Load().notSent(), refusals, versions, unknown)
	warnings := warningsOf(outcomes, fed.Status)
	text := strings.Join(slices.Concat(faults, ignored), "; ")
	if text != told && text != "" {
		warnings = append(warnings, warning{"", "PartlyIgnored", text})
	}
	w.collect(t, key, outcomes)
	w.judge(t, key, outcomes)
	w.sayForeign(t, key, fed, outcomes)
	previous := previousStatus(fed, written)
	scaling, scaled := sayScaling(acc.scaling.Load(), outcomes, previous, func(cluster string) bool {
		return !fed.RetainReplicas && slices.Contains(where.Clusters, cluster) && acc.sendsReplicas(cluster)
	})
	warnings = append(warnings, scaling...)
	in := federate.FoldInput{
		Previous:      previous,
		Generation:    fed.Generation,
		Reason:        where.reason,
		Message:       where.message,
		Outcomes:      outcomes,
		Problems:      faults,
		ProblemReason: faultReason,
		Rollup:        w.rollup(t),

		ProgressDeadline: t.progressDeadline(fed),
		Now:              w.now(),
	}
	next, changed := federate.Fold(in)
	if changed {
		acc.setWritten(&next) // the watch may bring its echo before the answer is here
		start := w.now()
		err := w.host.setStatus(ctx, t, key, fed, next)
		w.tracing.wroteStatus(acc, err, start, w.now())
		if err != nil {
			acc.setWritten(written)
			if apierrors.IsNotFound(err) {
				return reconcile.Result{}, nil
			}
			return again(fmt.Errorf("writing the status: %w", err))
		}
		w.metrics.statusWrites.WithLabelValues(t.Name).Inc()
	}
	if scaled && w.onScaling != nil {
		w.onScaling(t.Name, key)
	}
	if took, delivered := acc.reported(&next, changed, text, w.now()); delivered {
		w.metrics.delivery.WithLabelValues(t.Name).Observe(took.Seconds())
	}
	w.tracing.told(acc, where, w.now())
	w.events.warn(t, fed, warnings)
	if ends := federate.ProgressEnds(&in, next); ends > 0 {
		w.work.decideAfter(t, key, ends)
	}
	return reconcile.Result{}, nil
}

// collect adds to the outcomes what the clusters say of their objects, for types that collect it.
func (w *statusWriter) collect(t *runningType, key types.NamespacedName, outcomes []federate.Outcome) {
	if !t.StatusCollection {
		return
	}
	for i := range outcomes {
		_, known := w.lookout.look(t, key, outcomes[i].Cluster)
		outcomes[i].RemoteStatus = known.status()
	}
}

// sayForeign adds to the outcomes what other managers have written of the objects, where
// it is not taken back.
func (w *statusWriter) sayForeign(t *runningType, key types.NamespacedName, fed *federated, outcomes []federate.Outcome) {
	if t.isExact(fed) {
		return
	}
	for i := range outcomes {
		if s, _ := w.lookout.look(t, key, outcomes[i].Cluster); s.Managed && outcomes[i].Status == federate.ClusterPropagationOK {
			outcomes[i].AlsoWrittenBy = s.Foreign
		}
	}
}

// rollup adds up what the members say of a type's objects; nil where nothing does.
func (w *statusWriter) rollup(t *runningType) federate.Rollup {
	if !t.StatusCollection {
		return nil
	}
	return w.rollups[t.Target.GVK.GroupKind()]
}

// faultsOf is all that is wrong with an object that is propagated all the same, and the
// reason of what comes first.
func faultsOf(problems []string, misread misreading, notSent, refusals, versions, unknown []string) (faults []string, reason string) {
	switch {
	case len(problems) > 0:
		reason = "ClusterNotFound"
	case len(misread.faults) > 0:
		reason = misread.reason
	case len(notSent) > 0:
		reason = reasonNotSent
	case len(refusals) > 0:
		reason = ledger.ReasonApplyRefused
	case len(versions) > 0:
		reason = ledger.ReasonVersionNotServed
	case federate.OnlyLeft(unknown):
		reason = ledger.ReasonLeftToMember
	default:
		reason = ledger.ReasonUnknownFields
	}
	return slices.Concat(problems, misread.faults, notSent, refusals, versions, unknown), reason
}

// misreading is what annotations say that nobody knows, and the reason of what comes first.
type misreading struct {
	faults []string
	reason string
}

func (t *runningType) misread(fed *federated) (m misreading) {
	_, ownership := t.ownership(fed)
	_, consumption := federate.ConsumptionOf(fed.Consumed)
	_, deadline := federate.ProgressDeadlineOf(fed.ProgressDeadline, 0)
	_, scaling := federate.AfterAutoscalerOf(fed.AfterAutoscaler)
	deletion := ""
	if fed.DeleteOptionsError != nil { // said while there is time to mend it
		deletion = fed.DeleteOptionsError.Error()
	}
	for _, f := range []struct{ fault, reason string }{
		{ownership, "InvalidOwnership"}, {consumption, "InvalidConsumption"}, {deletion, "InvalidDeletion"}, {deadline, "InvalidProgressDeadline"}, {scaling, "InvalidReplicasAfterAutoscaler"},
	} {
		if f.fault != "" {
			m.faults, m.reason = append(m.faults, f.fault), cmp.Or(m.reason, f.reason)
		}
	}
	return m
}

// problems is bad input that did not stop the propagation to the other clusters.
func problems(unknown []placement.UnknownCluster) []string {
	var list []string
	for _, u := range unknown {
		list = append(list, fmt.Sprintf("%s: no cluster %q has joined", u.Field, u.Name))
	}
	return list
}

// warningsOf returns an event for each outcome that differs from what the status said before.
func warningsOf(outcomes []federate.Outcome, before federate.Status) []warning {
	said := make(map[string]federate.ClusterStatus, len(before.Clusters))
	for _, c := range before.Clusters {
		said[c.Name] = c
	}
	var list []warning
	for _, o := range outcomes {
		same := said[o.Cluster].Status == o.Status && said[o.Cluster].Message == o.Message
		if same || o.Status == federate.ClusterPropagationOK {
			continue
		}
		list = append(list, warning{o.Cluster, string(o.Status), fmt.Sprintf("cluster %s: %s", o.Cluster, o.Message)})
	}
	return list
}
