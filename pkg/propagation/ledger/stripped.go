package ledger

import (
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Stripped notes that the cluster holds what the task was to apply, and has taken our label
// off it: no watch will tell of the object, so its UID says that it is ours.
func (l *Ledger) Stripped(t Task, h Holding, message string, now time.Time) Next {
	defer l.balance(now)
	e := l.entries[t.cluster]
	if e != nil && e.arrival == arrivalSent {
		e.arrival = arrivedMaybe
	}
	if e != nil {
		e.stripped = h.UID // also if it is no longer wanted
	}
	if e = l.current(t); e == nil {
		return Next{Forget: true}
	}
	e.applied, e.owned, e.updated, e.unmarked = t.hash, h.Owned, true, false
	e.made(h.UID)
	e.retrying = true
	return l.settled(e, federate.LabelStripped, message, now)
}

const notWrittenAgain = federate.StrippedMessage + "; it is not written again, since it may have ended or been consumed by now"

// isLost says whether an object of ours that no watch tells of is better not written again:
// it may have ended by now, or have been consumed.
func (l *Ledger) isLost(e *entry, s Sighting) bool {
	return !s.Shown && e.stripped != "" && e.applied != "" && e.applied == e.hash && (e.vanishes || l.consumed == federate.AlwaysConsumed)
}
