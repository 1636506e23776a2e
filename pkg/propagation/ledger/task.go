package ledger

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Action is what is to be done in a cluster.
type Action int

const (
	// Nothing is to be done.
	Nothing Action = iota
	// Apply the rendered object.
	Apply
	// Repair is to apply it where it was as wanted, and somebody has changed it since.
	Repair
	// Remove is to delete the object.
	Remove
	// Unlabel is to take the managed label off an object that is never deleted.
	Unlabel
	// Wait is to come back to it when Task.Wait is over.
	Wait
)

// Task is one try in one cluster. It stands for the decision that it was begun for: what
// becomes of it counts as long as that decision stands.
type Task struct {
	cluster string
	action  Action
	goal    goal
	hash    string
	wait    time.Duration
	fight   bool
	// What was known when it was begun.
	first         bool
	shown         bool
	retained      bool
	irreplaceable bool
	keeps         bool
	version       string
	stripped      types.UID
}

// Cluster is where it is to be done.
func (t Task) Cluster() string { return t.cluster }

// Action is what is to be done.
func (t Task) Action() Action { return t.action }

// Hash is that of the object that is to be applied.
func (t Task) Hash() string { return t.hash }

// Wait is how long it takes until there is something to do, for the action Wait.
func (t Task) Wait() time.Duration { return t.wait }

// Fight says that something keeps changing what the template sets.
func (t Task) Fight() bool { return t.fight }

// First says that nothing of ours is known to be there.
func (t Task) First() bool { return t.first }

// Retained says that we are known not to own the replicas of the object that is there.
func (t Task) Retained() bool { return t.retained }

// Irreplaceable says that the cluster has refused this object as an update as well.
func (t Task) Irreplaceable() bool { return t.irreplaceable }

// Stripped is the UID of the object, where the cluster takes our label off; empty where it
// does not.
func (t Task) Stripped() types.UID { return t.stripped }

// RepairVersion is the version in which the watch has shown an object that is to be
// repaired; empty for other actions.
func (t Task) RepairVersion() string { return t.version }

// Next is what else follows from an event: work for the host's item, which decides
// and writes the status.
type Next struct {
	// Decide asks for the host's item at once.
	Decide bool
	// Report asks for it after a while: the status no longer waits for other clusters,
	// so it is written again for one that has settled late.
	Report bool
	// Forget says that what has failed so far says nothing about the next try.
	Forget bool
}

// Try is what is found when an item of a member is about to be worked on.
type Try struct {
	Situation
	Wanted    Wanted
	Namespace Namespace
	// Lacking says why nothing can be written in the namespace for lack of rights; empty
	// if nothing is known to be in the way.
	Lacking string
	Render  Render
}

// Begin says what is to be done in a cluster now. That nothing is may mean that the
// host's item has to decide first.
func (l *Ledger) Begin(in Try, now time.Time) (Task, Next) {
	defer l.balance(now)
	if !in.Ready || !in.Listed {
		return Task{}, l.Parked(in.Name)
	}
	e := l.entries[in.Name]
	switch {
	case e == nil:
		return Task{}, Next{Decide: in.Shown} // labelled as ours, but not in the placement
	case l.outdated(e, in.Wanted):
		e.retrying = false // if this was a retry, it is spent
		return Task{}, Next{Decide: true}
	case !e.kept.IsZero(): // the watch has told of a change to what is kept
		return Task{}, Next{Decide: !in.Shown || !in.Managed || in.Deleting}
	case e.goal == goalApplied:
		return l.beginApply(e, in, now)
	case e.goal == goalAbsent:
		return l.beginRemoval(e, in)
	}
	return Task{}, Next{}
}

// outdated says whether the object has changed since it was decided what the cluster
// is to hold, so that it must be decided anew. Above all nothing is deleted any more
// that is to be orphaned, or to stay after all.
func (l *Ledger) outdated(e *entry, w Wanted) bool {
	switch {
	case w.UID != l.uid: // another one of the same name: nothing is known of it
		return true
	case w.Deleting && e.goal == goalAbsent:
		return w.Orphan || !w.HasFinalizer
	case w.Deleting:
		return e.goal != goalNothing
	}
	if e.goal == goalAbsent && !e.keeps && e.membership != w.Membership {
		return true // the cluster has joined again since: what is there may be found only
	}
	return e.goal != goalNothing && w.Revision != l.revision
}

func (l *Ledger) beginApply(e *entry, in Try, now time.Time) (Task, Next) {
	e.until = time.Time{}
	e.look(in.Sighting)
	switch {
	case l.upToDate(e, in.Sighting):
		status, message := holding(in.Sighting)
		return Task{}, l.settled(e, status, message, now)
	case l.isLost(e, in.Sighting):
		return Task{}, l.finish(e, federate.LabelStripped, notWrittenAgain, now)
	case !in.Unserved && l.done(e, in.Sighting):
		return Task{}, l.finish(e, federate.Completed, e.completion(), now)
	}
	if made, err := in.Render(in.Name); err != nil || made.Hash != e.hash {
		e.hash, e.retrying = "", false // to be rendered anew
		return Task{}, Next{Decide: true}
	}
	if !e.pending { // a drift, or a retry
		l.await(e, forAnswer)
		l.balance(now)
	}
	switch {
	case e.recorded:
		return Task{}, Next{Decide: true} // the host's item writes the status first
	case in.Unserved:
		return Task{}, l.Parked(in.Name) // the status says so; when it is served, all is queued again
	case in.Shown && (!in.Managed || in.Deleting):
		return Task{}, Next{Decide: true} // the host's item says so in the status
	case in.Namespace == NamespaceLeaving:
		return l.defers(e, in, l.settings.SettleTimeout/2, wait{federate.WaitingForRemoval, namespaceLeaving}, now)
	case in.Namespace == NamespaceMissing && now.Sub(l.since) < l.settings.SettleTimeout: // then the API server's own answer says why
		l.await(e, forNamespace)
		return Task{cluster: in.Name, action: Wait, wait: l.settings.SettleTimeout / 2}, Next{} // or until the namespace appears
	case in.Lacking != "":
		return l.awaitRights(e, in, now)
	}
	t := Task{
		cluster: in.Name, action: Apply, goal: e.goal, hash: e.hash, first: e.applied == "",
		shown: in.Shown, retained: e.retained, irreplaceable: e.irreplaceable == e.hash, keeps: in.Keeps, stripped: e.stripped,
	}
	if e.applied != e.hash {
		return t, Next{}
	}
	if in.Shown && in.Version != "" {
		t.action, t.version = Repair, in.Version
	}
	if !e.retrying {
		if delay := e.damp(now); delay > 0 {
			drifted := wait{federate.Drifted, fmt.Sprintf(drifting, e.repairedAt.Add(e.repairDelay).UTC().Format(time.RFC3339))}
			if delay < l.settings.SettleTimeout && e.repairDelay < fightDelay {
				l.await(e, drifted) // the status can wait for it
				e.until = now.Add(delay)
				return Task{cluster: in.Name, action: Wait, wait: delay}, Next{}
			}
			return l.defers(e, in, delay, drifted, now)
		}
		t.fight = e.repairDelay == fightDelay
	}
	return t, Next{}
}

const (
	namespaceLeaving = "the namespace is being deleted in the cluster; the object is created again when it is gone"
	drifting         = "something in the cluster keeps changing what the template sets; it is put right again at %s"
)

// awaitRights puts off what is to be written until there is the right to: for a while the
// status waits for it, then it says so.
func (l *Ledger) awaitRights(e *entry, in Try, now time.Time) (Task, Next) {
	rights := wait{federate.WaitingForRights, in.Lacking}
	if now.Sub(l.since) >= l.settings.SettleTimeout {
		return l.defers(e, in, l.settings.SettleTimeout/2, rights, now)
	}
	l.await(e, rights)
	return Task{cluster: in.Name, action: Wait, wait: l.settings.SettleTimeout / 2}, Next{}
}

// defers puts off what is to be done, which the status says as long as that lasts.
func (l *Ledger) defers(e *entry, in Try, delay time.Duration, why wait, now time.Time) (Task, Next) {
	e.until = now.Add(delay)
	next := l.settled(e, why.word, why.message, now)
	return Task{cluster: in.Name, action: Wait, wait: delay}, next
}

// How long a repair waits after the one before it, and when that counts as a fight.
const (
	minRepairDelay = 100 * time.Millisecond
	fightDelay     = 64 * minRepairDelay
	maxRepairDelay = time.Minute
)

// damp returns how long a repair still waits. The first repairs are immediate;
// where something keeps changing what the template sets, each waits longer.
func (e *entry) damp(now time.Time) time.Duration {
	if wait := e.repairedAt.Add(e.repairDelay).Sub(now); wait > 0 {
		return wait
	}
	if now.Sub(e.repairedAt) > maxRepairDelay+e.repairDelay {
		e.repairDelay = 0
	}
	e.repairedAt = now
	e.repairDelay = min(max(2*e.repairDelay, minRepairDelay), maxRepairDelay)
	return 0
}

func (l *Ledger) beginRemoval(e *entry, in Try) (Task, Next) {
	// Of one cluster's items only one is in work at a time, so nothing is under way: what
	// was sent has been answered or is lost. Whether it has arrived is asked, unless the
	// watch shows that the object is there, or that it is not ours.
	switch {
	case goneFor(e, in.Sighting), endsItself(&in.Situation):
		l.clear(e)
		return Task{}, Next{Decide: true}
	case in.Unserved && !in.Undefined:
		return Task{}, l.Parked(in.Name) // the status says so; when it is served, all is queued again
	}
	t := Task{cluster: in.Name, action: Remove, goal: e.goal, hash: e.hash, first: e.applied == "", shown: in.Shown, keeps: in.Keeps, stripped: e.stripped}
	if in.Keeps {
		t.action = Unlabel
	}
	return t, Next{}
}

// Release says what is to be done with an object in a cluster without a federated
// object in the host: it loses the label. So does one that is being deleted, since
// somebody else's finalizer may hold it for as long as it likes.
func Release(s Situation) Action {
	if s.Ready && s.Listed && s.Shown && s.Managed {
		return Unlabel
	}
	return Nothing
}
