package propagation

import (
	"sync/atomic"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/workload"
)

// kindTable is the table of kinds of workloads as it is now.
type kindTable struct {
	now atomic.Pointer[workload.Kinds]
}

func newKindTable() *kindTable {
	t := &kindTable{}
	t.now.Store(workload.Builtin())
	return t
}

func (k *kindTable) get() *workload.Kinds { return k.now.Load() }

// collectsHealth says whether it is collected how the objects of a type fare: those of
// workloads, and where the objects are read whole anyway.
func (k *kindTable) collectsHealth(t typeconfig.Type) bool {
	collects, _ := federate.CollectsHealth(t.HealthCollection, t.CollectsStatus() || k.get().Has(t.Target.GVK.GroupKind()))
	return collects
}

// watchedWhole says whether more is read of a type's objects than their metadata: their
// status is collected, or tells how they fare or that they have ended.
func (k *kindTable) watchedWhole(t typeconfig.Type) bool {
	return t.CollectsStatus() || k.collectsHealth(t) || federate.Ends(t.Target.GVK.GroupKind())
}

// progressDeadline is how long the objects of a federated object may be Progressing, where
// it says so; nil: as long as each of them says, or its kind.
func (t *runningType) progressDeadline(fed *federated) *time.Duration {
	const none = -1
	if deadline, _ := federate.ProgressDeadlineOf(fed.ProgressDeadline, none); deadline != none {
		return &deadline
	}
	return nil
}

// fares is how an object fares, shared by those that fare alike: most are healthy.
type fares = unique.Handle[verdict]

// verdict is what was judged of a generation of an object.
type verdict struct {
	judgement  workload.Judgement
	generation int64
}

func faresOf(j workload.Judgement, generation int64) fares {
	return unique.Make(verdict{j, generation})
}

// judgement is how an object fares. What it was judged by may be older than what it is to be:
// the answer to a write tells the new generation, and the watch, later, how it fares then.
func (l *live) judgement() workload.Judgement {
	if l.fares != (fares{}) {
		if v := l.fares.Value(); v.generation == l.Generation {
			return v.judgement
		}
	}
	return workload.Judgement{Health: workload.NotObserved(l.Generation)}
}

// judge adds to the outcomes how the objects fare, for types of which that is collected.
func (w *statusWriter) judge(t *runningType, key types.NamespacedName, outcomes []federate.Outcome) {
	if !t.kinds.collectsHealth(t.Type) {
		return
	}
	for i := range outcomes {
		_, known := w.lookout.look(t, key, outcomes[i].Cluster)
		judgeIn(&outcomes[i], known)
	}
}

// judgeIn adds to an outcome how the object fares in its cluster, if there is one.
func judgeIn(o *federate.Outcome, known *live) {
	var j workload.Judgement
	switch {
	case o.Status == federate.Completed && o.Ended == federate.Failed:
		j.Health = workload.Health{Status: workload.Degraded, Message: o.Message}
	case o.Status == federate.Completed:
		j.Health = workload.Health{Status: workload.Healthy}
	case o.Status == federate.ClusterNotReady, o.Status == federate.CachedRetrievalFailed:
		j.Health = workload.Health{Status: workload.Unknown, Message: "what the cluster holds is not known"}
	case known != nil && known.Managed:
		j = known.judgement()
		o.ObjectGeneration = known.Generation
	default:
		return
	}
	o.Health, o.Deadline, o.Down = &j.Health, j.Deadline, j.Down
}
