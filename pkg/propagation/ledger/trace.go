package ledger

import "k8s.io/apimachinery/pkg/types"

// That the fields are ours says that they hold what we have applied, unless somebody who
// is called like us has applied the same fields with other values: another host that the
// cluster has joined. That renews the time of the entry in managedFields, and so Owned,
// but for a write within the same second. Such a write is seen in that the content has
// changed and nothing says by whom. What the cluster holds then is not known, and it is
// applied once more, as a drift is. If nothing was wrong, that changes nothing.

// Trace is what a write leaves on an object.
type Trace struct {
	// Version is the object's resource version, a number that grows; 0 if it is not known.
	Version uint64
	// Writers is a hash of who has written which fields, and when; 0 if nobody is known.
	Writers uint64
	// Content differs where what we have applied may differ.
	Content uint64
}

// covertly says whether the content is another than before, and nothing says by whom.
func (t Trace) covertly(before Trace) bool {
	return t.Writers != 0 && t.Writers == before.Writers && t.Content != before.Content
}

// trace notes the newest trace of the object of this UID. If something has changed without
// a word of who has changed it, what is there is unknown until it is applied again.
func (e *entry) trace(uid types.UID, t Trace) {
	same := e.tracedOf == uid
	if same && t.Version != 0 && t.Version <= e.traced.Version {
		return // it is known already, or was late
	}
	if same && t.covertly(e.traced) {
		e.owned, e.covert = 0, t.Version
	}
	e.tracedOf, e.traced = uid, t
}

// confirm notes the fields that are ours, and whether the object is still as the answer
// says: the watch may have told already of what has come after it.
func (e *entry) confirm(h Holding) (undisturbed bool) {
	covertly := e.tracedOf == h.UID && (e.covert > h.Trace.Version || e.traced.Version > h.Trace.Version && e.traced.covertly(h.Trace))
	e.trace(h.UID, h.Trace)
	if covertly {
		e.owned = 0
		return false
	}
	e.owned, e.covert = h.Owned, 0
	return true
}
