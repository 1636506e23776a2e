package ledger

import (
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

// An object is removed from a cluster because the placement does not select the cluster
// any more: it was selected in this membership, and is not now. A membership that begins
// changes no placement. What it finds there with our label, and nobody selects, may be
// all that is left of somebody's data: it is kept, said, and removed when its time is over
// or somebody asks for it. Selected meanwhile, it is taken up as it is.

// sameMembership says whether what the entry tells was done in the cluster's present
// membership. Where the record does not say in which (another release has written it, or
// the host's CRD keeps no versions) it counts as long as it was written in this one.
func (l *Ledger) sameMembership(e *entry, c *Cluster) bool {
	if e.unmarked {
		return !c.Joined.After(l.recorded)
	}
	return e.membership == c.Membership
}

// enter makes the entry one of the cluster's present membership.
func (l *Ledger) enter(e *entry, c *Cluster) {
	if !l.sameMembership(e, c) || !e.kept.IsZero() {
		e.unmarked, e.kept = false, time.Time{}
		e.fate, e.fateOf = fateElsewhere, ""
	}
	e.membership = c.Membership
}

// foundBefore makes the entry one of what was found, where the host's CRD keeps nothing of
// that but the word: at the latest when the status was written.
func (e *entry) foundBefore(recorded time.Time) {
	e.kept = recorded
	if recorded.IsZero() {
		e.membership, e.unmarked = "unknown", false // found anew
	}
}

// wasFound says whether an object that is not selected is one that this membership has
// found. What is kept anyway, a namespace of the host, is not.
func (l *Ledger) wasFound(e *entry, s *Situation) bool {
	if e == nil {
		membership, known := l.left[s.Name]
		return !s.Keeps && (!known || membership != s.Membership)
	}
	return !s.Keeps && (!e.kept.IsZero() || !l.sameMembership(e, &s.Cluster))
}

// leave takes the entry of a cluster out of the ledger that the object has left.
func (l *Ledger) leave(c *Cluster) {
	l.drop(c.Name)
	if l.left == nil {
		l.left = map[string]string{}
	}
	l.left[c.Name] = c.Membership
}

// keepFound keeps an object that this membership has found, and says so. It returns when
// its time is over, zero for never; due says that it is, and that the object is to go.
func (l *Ledger) keepFound(s *Situation, now time.Time) (until time.Time, due bool) {
	e := l.entries[s.Name]
	if e != nil && !l.sameMembership(e, &s.Cluster) {
		e.kept = time.Time{} // found by an earlier membership
	}
	unknown := !s.Ready || !s.Listed || s.Unserved && !s.Undefined
	switch {
	case s.Shown && s.Managed && !s.Deleting:
	case unknown && e != nil && !e.kept.IsZero():
	case e != nil && (e.arrival == arrivalSent || unknown && e.mayBeThere()): // in an earlier membership; it may still arrive, or be there
		e.goal, e.hash, e.retrying, e.until, e.kept = goalNothing, "", false, time.Time{}, time.Time{}
		l.settle(e, "", "")
		return time.Time{}, false
	case e != nil && e.recorded: // the status is to say first that it may be sent there again
		l.clear(e)
		return time.Time{}, false
	default: // nothing is there, or it is not ours, or on its way out
		l.drop(s.Name)
		return time.Time{}, false
	}
	e = l.entry(s.Name)
	since := e.kept
	if since.IsZero() {
		since = now.Truncate(time.Second)
	}
	if limit := l.settings.LeftoverRetention; limit > 0 {
		until = since.Add(limit)
	}
	if pruned(s.Prune, since, now) || !until.IsZero() && !now.Before(until) {
		e.kept = since
		l.enter(e, &s.Cluster)
		return time.Time{}, true
	}
	e.goal, e.hash, e.retrying, e.until = goalNothing, "", false, time.Time{}
	e.membership, e.unmarked, e.kept = s.Membership, false, since
	e.arrival, e.untouched = max(e.arrival, arrivedMaybe), false // it is there, also where the watch cannot tell any more
	l.settle(e, federate.NotSelected, foundMessage(s.Name, until))
	return until, false
}

// mostSkew is how far the clock of who asks may be ahead. A time further away is not one
// at which anybody has looked at what was found.
const mostSkew = 10 * time.Minute

// pruned says whether somebody has asked to remove what was found up to then.
func pruned(asked, since, now time.Time) bool {
	return !asked.Before(since) && !asked.After(now.Add(mostSkew))
}

func foundMessage(cluster string, until time.Time) string {
	text := "it was there when the cluster joined, and no placement selects the cluster: kept"
	if !until.IsZero() {
		text += " until " + until.UTC().Format(time.RFC3339)
	}
	return text + "; select the cluster to take it up as it is, or remove it with: fedctl prune " + cluster
}

// Found is an object that is kept in a cluster where nobody has selected it.
type Found struct {
	Cluster string
	// Until is when its time is over; zero for never.
	Until time.Time
}

// Found returns where the object is kept that nobody has selected.
func (l *Ledger) Found() (list []Found) {
	for _, name := range l.clusters() {
		e := l.entries[name]
		if e.kept.IsZero() {
			continue
		}
		found := Found{Cluster: name}
		if limit := l.settings.LeftoverRetention; limit > 0 {
			found.Until = e.kept.Add(limit)
		}
		list = append(list, found)
	}
	return list
}
