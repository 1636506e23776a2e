package ledger

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// An object that has ended by itself, or that something in the cluster consumes, has done
// what it is for. That it is gone then is no drift: to make it again would do it again. So
// it is done until something else is wanted there, also for the next process: how it has
// ended is in the status (version) from the moment it was seen.

// fate is what has become of the object in a cluster, as far as anybody has seen it.
type fate byte

const (
	// fateUnknown is that of one that has not ended, or whose end nobody has seen.
	fateUnknown fate = 0
	// fateSucceeded and fateFailed are those of one that has ended by itself.
	fateSucceeded fate = 's'
	fateFailed    fate = 'f'
	// fateDeleted is that of one that was deleted before it had ended.
	fateDeleted fate = 'd'
	// fateElsewhere is that of one of an earlier membership: this cluster may be another one.
	fateElsewhere fate = 'e'
)

func fateOf(ending federate.Ending) fate {
	switch ending {
	case federate.Succeeded:
		return fateSucceeded
	case federate.Failed:
		return fateFailed
	}
	return fateUnknown
}

// parseFate reads a fate as a version has it; fateUnknown if it is none.
func parseFate(text string) fate {
	switch text {
	case "s", "f", "d", "e":
		return fate(text[0])
	}
	return fateUnknown
}

// sight notes the trace of the object that is there, and how it has ended.
func (e *entry) sight(s Sighting) {
	if s.Shown && s.Managed {
		e.trace(s.UID, s.Trace)
		e.fate, e.fateOf, e.stripped = fateOf(s.Ended), s.UID, ""
	}
}

// look is sight where what is shown may be what an earlier membership has shown.
func (e *entry) look(s Sighting) {
	if s.Listed && !s.Unserved {
		e.sight(s)
	}
}

// Deleted notes that the watch has told of an object's deletion, and how it was last; of one
// of a kind that ends by itself.
func (l *Ledger) Deleted(cluster string, last Sighting) {
	e := l.entries[cluster]
	if e == nil {
		return
	}
	if e.sight(last); e.fate == fateUnknown {
		e.fate = fateDeleted
	}
}

// made notes that the object is there, as an answer says. The watch may have told already
// of how this very object has ended.
func (e *entry) made(uid types.UID) {
	if e.fateOf != uid || uid == "" {
		e.fate, e.fateOf = fateUnknown, uid
	}
}

// done says whether what is wanted was there, and needs not be there any more.
func (l *Ledger) done(e *entry, s Sighting) bool {
	switch {
	case e.goal != goalApplied || e.applied == "" || e.applied != e.hash, e.fate == fateElsewhere, l.consumed == federate.NeverConsumed:
		return false
	case s.Shown && (!s.Managed || !s.Deleting), e.stripped != "":
		return false
	case l.consumed == federate.AlwaysConsumed, e.fate == fateSucceeded, e.fate == fateFailed:
		return true
	}
	// Where the cluster removes what has ended, and nobody has looked, that is what has become of it.
	return e.vanishes && e.fate == fateUnknown && !s.Shown
}

// completion says what has become of an object that is done.
func (e *entry) completion() string {
	text := "the object was consumed in the cluster"
	switch {
	case e.fate == fateSucceeded:
		text = "the object has ended in the cluster (Succeeded)"
	case e.fate == fateFailed:
		text = "the object has ended in the cluster (Failed)"
	case e.vanishes:
		text = "the object has gone from the cluster, which removes it when it has ended; how it has ended was not seen"
	}
	return text + "; it is made again when its template changes"
}

// endedAs is how an object that is done has ended; empty where nobody knows.
func (e *entry) endedAs() federate.Ending {
	switch {
	case e.status != federate.Completed:
		return ""
	case e.fate == fateFailed:
		return federate.Failed
	case e.fate == fateSucceeded:
		return federate.Succeeded
	}
	return ""
}
