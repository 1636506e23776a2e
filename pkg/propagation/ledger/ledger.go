package ledger

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Ledger is what is wanted, known and under way of one federated object in each
// cluster.
type Ledger struct {
	settings *Settings
	uid      types.UID
	revision federate.Revision // that the entries' hashes were rendered from
	entries  map[string]*entry
	// exact says that what other managers write is taken back.
	exact bool
	// consumed says when an object that is gone is done.
	consumed federate.Consumption
	// fresh says that before this ledger nothing was sent to any cluster, by no process.
	fresh bool
	// open counts the entries that are pending.
	open int
	// since is when the object became unsettled: when the first of the clusters that
	// are pending became so, and it was settled before. Zero when none is pending.
	since time.Time
	// recorded is when the status that the ledger began with was written.
	recorded time.Time
	// left are the memberships of the clusters that the object has left in this process, by
	// cluster: what turns up there late is ours to remove, and was not found.
	left map[string]string
}

// goal is what is to become of the object in one cluster.
type goal int

const (
	goalNothing goal = iota // leave whatever is there alone
	goalApplied             // it is there as rendered
	goalAbsent              // it is not there
)

// arrival says why the cluster may hold the object although its watch shows none.
type arrival int

const (
	// arrivedNot: nothing speaks for it, but for what was applied.
	arrivedNot arrival = iota
	// arrivedMaybe: an earlier process may have written it. The watch can say that it is not so.
	arrivedMaybe
	// arrivalSent: an apply of ours was sent, and no answer has said what became of it.
	// The watch cannot tell: what it says may be older.
	arrivalSent
)

// entry is the object in one cluster.
type entry struct {
	goal goal
	hash string // of the rendered object, for goalApplied
	// applied and owned say what is known to be there: the hash of what was
	// applied and, then, the hash of the fields the cluster says are ours. They
	// survive a restart in the status (federate.ClusterStatus.Version).
	applied string
	owned   uint64
	// traced is the newest trace of the object tracedOf. covert is the version in which its
	// content had changed, and nothing said by whom; 0 if we have applied it since.
	traced   Trace
	tracedOf types.UID
	covert   uint64
	// fate is what has become of the object fateOf; of one that nobody knows, if that is
	// empty. vanishes: the cluster removes what is wanted when it has ended.
	fate     fate
	fateOf   types.UID
	vanishes bool
	// before is what arrival was before the last apply was sent.
	arrival, before arrival
	// untouched says that nothing was ever sent to the cluster, by no process.
	untouched bool
	// recorded says that the status in the host may say untouched: nothing is sent before
	// it has been written without that, so that it is true whenever it is read.
	recorded bool
	// recording says that the status that was told last says so.
	recording bool
	// retained says that we are known not to own spec.replicas.
	retained bool
	// stripped is the UID of the object whose label the cluster takes off when we write it;
	// empty if it does not.
	stripped types.UID
	// irreplaceable is the hash of what the cluster refuses as an update as well.
	irreplaceable string
	// refusal says why the object was written, but not applied.
	refusal string
	// unknown are the fields that the cluster does not know and holds the object without.
	unknown []string
	// servedAs is the version that the cluster was given the object in, because it does
	// not serve the one that is wanted; empty where it does.
	servedAs string
	// keeps is the cluster's, as it was when it was planned.
	keeps    bool
	status   federate.PropagationStatus
	message  string
	pending  bool // an item for it is queued or waits for something
	waits    wait // what it is pending for
	retrying bool // the last try failed; the next one is scheduled
	// silent says that status and message are of what was before it became pending.
	silent  bool
	until   time.Time // an item comes up again then, by itself, and not before
	updated bool      // written since the status was reported last
	// membership is the one in which the object was selected, or found. unmarked: the
	// status does not say which that was.
	membership string
	unmarked   bool
	// kept is when the object was found there without being selected in this membership;
	// zero if it was not. It stays for a while.
	kept time.Time
	// removed is the UID of the object that was deleted at removedAt.
	removed   types.UID
	removedAt time.Time
	// repairedAt and repairDelay slow down the repair of what drifts again and again.
	repairedAt  time.Time
	repairDelay time.Duration
}

// New starts a ledger from what the object's status says was done before.
// settings are shared, and not changed any more.
func New(uid types.UID, status federate.Status, settings *Settings) *Ledger {
	l := &Ledger{settings: settings, uid: uid, entries: make(map[string]*entry, len(status.Clusters))}
	refusal, said := "", ""
	if accepted := status.Condition(federate.ConditionAccepted); accepted != nil {
		said = accepted.Message
		if accepted.Reason == ReasonApplyRefused {
			refusal = federate.WithoutLeftOut(accepted.Message)
		}
	}
	if propagation := status.Condition(federate.ConditionPropagation); propagation != nil {
		l.recorded, _ = time.Parse(time.RFC3339, propagation.LastUpdateTime) // a bad one is none
	}
	for _, c := range status.Clusters {
		v := parseVersion(c.Version)
		// What a status lists may be there, also without a version: KubeFed writes none.
		e := &entry{
			applied: v.applied, owned: v.owned, membership: v.membership, unmarked: v.membership == "", kept: v.kept, fate: v.fate, stripped: v.stripped,
			arrival: arrivedMaybe, refusal: refusal,
			unknown: federate.ParseUnknown(said, c.Name), servedAs: federate.ParseServedAs(said, c.Name),
			status: c.Status, message: c.Message,
		}
		if c.Status == federate.LabelStripped && e.stripped == "" {
			e.stripped = federate.UnknownUID
		}
		if len(e.unknown) > 0 {
			e.owned = 0 // nobody has seen whether the cluster knows the fields by now
		}
		if c.Version == neverSent {
			e.arrival, e.untouched, e.recorded = arrivedNot, true, true
		}
		if c.Status == federate.NotSelected && v.kept.IsZero() {
			e.foundBefore(l.recorded)
		}
		l.entries[c.Name] = e
	}
	return l
}

// UID is the federated object's.
func (l *Ledger) UID() types.UID { return l.uid }

// Begun notes that the object has become ours only now: before, nothing of it was sent
// to any cluster.
func (l *Ledger) Begun() { l.fresh = len(l.entries) == 0 }

// entry returns the entry of a cluster, a new one if there is none.
func (l *Ledger) entry(cluster string) *entry {
	e, ok := l.entries[cluster]
	if !ok {
		e = &entry{untouched: l.fresh}
		l.entries[cluster] = e
	}
	return e
}

// wait is what a pending entry waits for, as the status says if that takes long. Without
// a word it is that of a request that has not been answered.
type wait struct {
	word    federate.PropagationStatus
	message string
}

var (
	forProbe     = wait{message: "it is not known yet whether the cluster is ready"}
	forList      = wait{message: "the cluster has not listed its objects of the type yet"}
	forAnswer    = wait{message: "the cluster has not answered yet"}
	forNamespace = wait{message: "the namespace of the object is not in the cluster yet"}
	forRemoval   = wait{federate.WaitingForRemoval, beingDeleted}
)

// await notes that the outcome in a cluster is open, and for what it waits. What was said
// of it before holds no longer, but for a failure, as long as the next try is no better.
func (l *Ledger) await(e *entry, waits wait) {
	if !e.pending {
		e.pending, e.silent = true, !e.retrying
		l.open++
	}
	e.waits = waits
}

// close notes that nothing is waited for there any more.
func (l *Ledger) close(e *entry) {
	if e.pending {
		e.pending = false
		l.open--
	}
}

// settle notes the outcome in a cluster.
func (l *Ledger) settle(e *entry, status federate.PropagationStatus, message string) {
	l.close(e)
	e.status, e.message, e.silent = status, message, false
}

// clear makes an entry one of a cluster of which nothing is known, because the object
// is not there, or is not ours.
func (l *Ledger) clear(e *entry) {
	l.close(e)
	*e = entry{recorded: e.recorded, membership: e.membership, unmarked: e.unmarked}
}

// drop takes the entry of a cluster out of the ledger, if there is one.
func (l *Ledger) drop(cluster string) {
	if e := l.entries[cluster]; e != nil {
		l.fresh = l.fresh && e.untouched // another cluster may come by that name, or this one again
		l.close(e)
		delete(l.entries, cluster)
	}
}

// balance ends every event that may have opened or closed an entry.
func (l *Ledger) balance(now time.Time) {
	if l.open == 0 {
		l.since = time.Time{}
	} else if l.since.IsZero() {
		l.since = now
	}
}

// clusters returns the names of the entries, always in the same order.
func (l *Ledger) clusters() []string { return slices.Sorted(maps.Keys(l.entries)) }

// mayBeThere says whether the cluster may hold the object although its watch shows none.
func (e *entry) mayBeThere() bool { return e.applied != "" || e.arrival != arrivedNot }

// upToDate says whether the cluster holds what is wanted there, and nothing that others
// have added where that is not to be.
func (l *Ledger) upToDate(e *entry, s Sighting) bool {
	return e.goal == goalApplied && s.Shown && s.Managed && !s.Deleting &&
		e.applied == e.hash && s.Owned != 0 && s.Owned == e.owned && (!l.exact || s.Foreign == "")
}
