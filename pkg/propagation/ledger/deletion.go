package ledger

import "time"

// Deletion is what the deletion of a federated object finds.
type Deletion struct {
	// At is when it was asked for.
	At time.Time
	// Clusters are all that have joined, by name. A placement that cannot be read
	// selects none; what is known still counts.
	Clusters []Situation
}

// PlanDeletion wants the object absent from every cluster that may hold it. It
// returns the clusters that need work and how many are still waited for.
func (l *Ledger) PlanDeletion(d Deletion, now time.Time) (queue []string, waiting int) {
	defer l.balance(now)
	l.dropLeft(d.Clusters)
	for i := range d.Clusters {
		s := &d.Clusters[i]
		if !l.mayHold(s) {
			continue
		}
		if l.givenUp(d.At, s.Cluster, now) {
			l.drop(s.Name)
			continue
		}
		e := l.entry(s.Name)
		e.keeps = s.Keeps
		if l.planAbsent(e, s, now) {
			queue = append(queue, s.Name)
		}
		if e.goal == goalAbsent && (e.pending || e.retrying || e.status != "") {
			waiting++
		} else {
			l.clear(e) // kept: without an entry the next look would take it for unknown
		}
	}
	return queue, waiting
}

// mayHold says whether a cluster may hold an object that is being deleted. It makes an
// entry for one that is selected and of which nothing is known.
func (l *Ledger) mayHold(s *Situation) bool {
	e := l.entries[s.Name]
	switch {
	case e == nil && !s.Shown:
		if l.fresh || s.Ready && s.Listed || !s.Selected {
			return false
		}
		// Selected, and nothing was ever noted: a write may have been on its way when the last process died.
		l.entry(s.Name).arrival = arrivedMaybe
	case !s.Shown && !e.untouched && e.goal == goalApplied && (!s.Probed || s.Ready && !s.Listed):
		// Planned before anything was known of the cluster, which is the same.
		e.arrival = max(e.arrival, arrivedMaybe)
	}
	return true
}

// givenUp says whether a deletion no longer waits for a cluster that is not ready.
func (l *Ledger) givenUp(deletedAt time.Time, c Cluster, now time.Time) bool {
	limit := l.settings.UnreadyDeletionTimeout
	return limit > 0 && c.Probed && !c.Ready && now.Sub(deletedAt) > limit
}
