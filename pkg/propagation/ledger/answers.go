package ledger

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// current returns the entry of a task's cluster; nil if something else is wanted there
// by now. The newer decision has then queued its own item.
func (l *Ledger) current(t Task) *entry {
	e := l.entries[t.cluster]
	if e == nil || e.goal != t.goal || e.hash != t.hash {
		return nil
	}
	return e
}

// Sending notes that an apply is about to be sent, which may arrive whatever becomes of
// its answer: the object may be there from now on, what it holds is unknown until it is
// confirmed, and so is who owns the replicas. retain: they are left to the cluster.
// False: something else is wanted by now, or said by the status, and nothing must be sent.
func (l *Ledger) Sending(t Task, retain bool) bool {
	e := l.current(t)
	if e == nil || e.recorded {
		return false
	}
	e.before, e.arrival, e.owned, e.untouched = e.arrival, arrivalSent, 0, false
	if !retain || !t.shown {
		e.retained = false
	}
	return true
}

// Holding is what a cluster has answered to an apply.
type Holding struct {
	// UID is the object's.
	UID types.UID
	// Owned is the hash of the fields that are ours.
	Owned uint64
	// Trace is that of the write.
	Trace Trace
	// Refusal says why the object was written, but not applied; empty if it was applied.
	Refusal string
	// Unknown are the fields that it was written without, since the cluster does not know them.
	Unknown []string
	// ServedAs is the version that it was written in, since the cluster does not serve
	// the one that is wanted; empty where it does.
	ServedAs string
	// Retained says that we are known not to own the replicas.
	Retained bool
}

// Applied notes that the cluster holds what the task was to apply.
func (l *Ledger) Applied(t Task, h Holding, now time.Time) Next {
	defer l.balance(now)
	if e := l.entries[t.cluster]; e != nil && e.arrival == arrivalSent {
		e.arrival = arrivedMaybe // it has arrived, also if it is no longer wanted; the watch will tell of it
	}
	e := l.current(t)
	if e == nil {
		return Next{Forget: true}
	}
	e.applied, e.updated, e.unmarked = t.hash, true, false
	e.made(h.UID)
	e.stripped = ""
	e.refusal, e.unknown, e.servedAs, e.retained = h.Refusal, h.Unknown, h.ServedAs, h.Retained
	if !e.confirm(h) { // it has been written since: it stays open, and is applied again
		e.retrying = false
		return Next{Decide: true, Forget: true}
	}
	return l.finish(e, federate.ClusterPropagationOK, "", now)
}

// Trouble is why a task has failed.
type Trouble int

const (
	// Refused is an answer that is an error, or no answer.
	Refused Trouble = iota
	// Late is no answer in time.
	Late
	// Unreadable says that the object could not be read before it was written.
	Unreadable
	// InTheWay says that there is an object that is not to be adopted.
	InTheWay
	// KeptOut says that the owner of the cluster keeps the object out, and the watch has not told yet.
	KeptOut
	// Unserved says that the cluster does not serve the type so that anything can be done
	// to the object: nothing has arrived.
	Unserved
	// Unbound says that the cluster has refused to write in the namespace for lack of
	// rights, which are given by namespace: they may be on their way.
	Unbound
	// BadOptions says that the options of the deletion cannot be read.
	BadOptions
)

// Failed notes why a task has failed; it is tried again later. What was sent may have
// arrived all the same.
func (l *Ledger) Failed(t Task, trouble Trouble, message string, now time.Time) Next {
	defer l.balance(now)
	e := l.current(t)
	if e == nil {
		return Next{}
	}
	if t.goal == goalAbsent && (trouble == Refused || trouble == Late) {
		e.removed, e.removedAt = "", time.Time{} // the next try sends it again
	}
	if t.goal == goalApplied && trouble == Unserved {
		e.arrival = e.before
	}
	e.retrying = true
	if trouble == Unbound && e.pending && now.Sub(l.since) < l.settings.SettleTimeout {
		l.await(e, wait{t.word(trouble), message})
		return Next{}
	}
	return l.settled(e, t.word(trouble), message, now)
}

// CannotReplace notes that the cluster refuses the task's object as an update as well.
func (l *Ledger) CannotReplace(t Task) {
	if e := l.current(t); e != nil {
		e.irreplaceable = t.hash
	}
}

// Sent says whether a removal is to be sent.
type Sent int

const (
	// SendNow says that it is.
	SendNow Sent = iota
	// SentAlready says that this very object is being deleted, or has been and only the
	// watch has not told yet.
	SentAlready
	// SendNot says that the object is to stay after all.
	SendNot
)

// SendingRemoval says whether the object that is there is to be removed now, and notes
// that it is about to be. Reading it may have taken its time, so that what is wanted is
// looked at once more.
func (l *Ledger) SendingRemoval(t Task, w Wanted, there Sighting, now time.Time) (Sent, Next) {
	defer l.balance(now)
	e := l.current(t)
	switch {
	case e == nil:
		return SendNot, Next{}
	case l.outdated(e, w):
		e.retrying = false
		return SendNot, Next{Decide: true}
	case !there.Managed: // its owner has taken it out of the federation
		l.clear(e)
		return SendNot, Next{Decide: true}
	case there.Deleting || l.removalSent(e, there, now):
		return SentAlready, Next{}
	}
	e.removed, e.removedAt = there.UID, now
	return SendNow, Next{}
}

// Removing leaves it to the watch to tell that the object is gone; if that takes
// long, the status says what is waited for. It returns after which time to look
// again; 0 for not at all. s is what the watch shows by now.
func (l *Ledger) Removing(t Task, s Sighting, now time.Time) (wait time.Duration, next Next) {
	defer l.balance(now)
	e := l.current(t)
	if e != nil {
		e.updated = true
		if wait = l.settings.SettleTimeout/2 - now.Sub(e.removedAt); wait > 0 {
			if e.pending {
				e.waits, e.silent = forRemoval, true // the cluster has answered
			}
			return wait, Next{}
		}
	}
	if s.Shown && !s.Deleting {
		wait = l.settings.RequestTimeout // the watch should have told by then; if not, try again
	}
	if e == nil {
		return max(wait, 0), Next{Forget: true}
	}
	return max(wait, 0), l.finish(e, federate.WaitingForRemoval, s.goingOn(beingDeleted), now)
}

// Removed notes that a read or an answer has said that the cluster does not hold the
// object, or not as ours.
func (l *Ledger) Removed(t Task, now time.Time) Next {
	defer l.balance(now)
	if e := l.current(t); e != nil {
		l.clear(e)
		e.updated = true
	}
	return Next{Decide: true, Forget: true}
}

// Parked notes that an item is put aside until its cluster can be worked on: the host's
// item says so in the status, and queues it again then. A retry that comes meanwhile
// is spent, so none is scheduled any more.
func (l *Ledger) Parked(cluster string) Next {
	if e := l.entries[cluster]; e != nil {
		e.retrying, e.until = false, time.Time{}
	}
	return Next{Decide: true, Forget: true}
}

// Returned notes that a cluster serves versions again in whose place another one was
// used: what is there is written anew. It says whether the host's item is due.
func (l *Ledger) Returned(cluster string) (decide bool) {
	e := l.entries[cluster]
	if e == nil || e.servedAs == "" {
		return false
	}
	e.owned = 0
	return true
}

// Retrying says whether the last try in a cluster has failed, so that it waits for the next.
func (l *Ledger) Retrying(cluster string) bool {
	e := l.entries[cluster]
	return e != nil && e.retrying
}

// Relearned notes that a cluster may know fields that were left out: what is there is written
// anew. It says whether the host's item is due.
func (l *Ledger) Relearned(cluster string) (decide bool) {
	e := l.entries[cluster]
	if e == nil || len(e.unknown) == 0 {
		return false
	}
	e.owned = 0
	return true
}

// Seen notes what the watch has told of a change in a cluster. It is expected if it is
// the echo of our own write, or a change to fields that are not ours: no item is needed.
func (l *Ledger) Seen(cluster string, s Sighting) (expected bool) {
	e := l.entries[cluster]
	if e == nil {
		return false
	}
	e.sight(s)
	if !s.Shown && e.goal == goalAbsent {
		e.applied, e.owned = "", 0 // the watch says so: it is gone, or no longer ours
		if e.arrival == arrivedMaybe {
			e.arrival = arrivedNot
		}
	}
	return !e.pending && l.upToDate(e, s)
}

// finish notes an outcome that needs no further try.
func (l *Ledger) finish(e *entry, status federate.PropagationStatus, message string, now time.Time) Next {
	e.retrying = false
	next := l.settled(e, status, message, now)
	next.Forget = true
	return next
}

// settled notes an outcome and, when it was the object's last one, has the host's item
// write the status.
func (l *Ledger) settled(e *entry, status federate.PropagationStatus, message string, now time.Time) Next {
	changed := e.pending || e.status != status || e.message != message
	since := l.since
	l.settle(e, status, message)
	switch {
	case !changed:
		return Next{}
	case l.open == 0:
		return Next{Decide: true}
	}
	return Next{Report: now.Sub(since) >= l.settings.SettleTimeout}
}
