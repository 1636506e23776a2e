package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Decision is what was decided about an object that is to be there.
type Decision struct {
	Revision federate.Revision
	// Exact says that what other managers write of the object is taken back.
	Exact bool
	// Consumed says when an object that is gone is done.
	Consumed federate.Consumption
	// Clusters are all that have joined, by name.
	Clusters []Situation
	Render   Render
}

// Work is what follows from a decision.
type Work struct {
	// Queue names the clusters that need work.
	Queue []string
	// Renewed names those in which another object is wanted than before: what has
	// failed there says nothing about it.
	Renewed []string
	// Record says that the status has to be written before more is sent.
	Record bool
	// Again is when to decide again, because the time of something that is kept is over;
	// zero for never.
	Again time.Time
}

// Plan brings every cluster up to date with a decision.
func (l *Ledger) Plan(d Decision, now time.Time) (work Work) {
	defer l.balance(now)
	l.exact, l.consumed = d.Exact, d.Consumed
	fresh := l.revision != d.Revision
	if fresh {
		l.revision, l.since = d.Revision, time.Time{}
	}
	l.dropLeft(d.Clusters)
	for i := range d.Clusters {
		s := &d.Clusters[i]
		if !s.Selected {
			queue, again := l.deselect(s, now)
			if queue {
				work.Queue = append(work.Queue, s.Name)
			}
			if !again.IsZero() && (work.Again.IsZero() || again.Before(work.Again)) {
				work.Again = again
			}
			continue
		}
		e := l.entry(s.Name)
		e.keeps = s.Keeps
		l.enter(e, &s.Cluster)
		if e.goal != goalApplied || e.hash == "" || fresh {
			e.goal = goalApplied
			sound, renewed := l.render(e, s.Name, d.Render)
			if renewed {
				work.Renewed = append(work.Renewed, s.Name)
			}
			if !sound {
				continue
			}
		}
		if !l.planApplied(e, s, now) {
			continue
		}
		e.silent = !e.recorded || e.status == "" // until it is sent, what the status says is so
		if e.recorded {
			work.Record = true
		} else {
			work.Queue = append(work.Queue, s.Name)
		}
	}
	return work
}

// dropLeft forgets the clusters that are no longer joined: nothing can be said of them.
func (l *Ledger) dropLeft(joined []Situation) {
	for name := range l.entries {
		if _, ok := slices.BinarySearchFunc(joined, name, func(s Situation, name string) int { return strings.Compare(s.Name, name) }); !ok {
			l.drop(name)
		}
	}
}

// deselect wants the object absent from a cluster that the placement does not select,
// but for what the cluster's membership has found there. again is when that is due.
func (l *Ledger) deselect(s *Situation, now time.Time) (queue bool, again time.Time) {
	e := l.entries[s.Name]
	if e == nil && !s.Shown {
		return false, time.Time{}
	}
	if l.wasFound(e, s) {
		if until, due := l.keepFound(s, now); !due {
			return false, until
		}
	}
	e = l.entry(s.Name)
	e.keeps, e.membership, e.unmarked = s.Keeps, s.Membership, false
	if l.planAbsent(e, s, now) {
		return true, time.Time{}
	}
	if e.goal == goalNothing && e.status == "" && !e.recorded {
		l.leave(&s.Cluster)
	}
	return false, time.Time{}
}

// render notes what the cluster is to hold. It is not sound if that cannot be told,
// which the status then says, and renewed if it is another object than before.
func (l *Ledger) render(e *entry, cluster string, render Render) (sound, renewed bool) {
	made, err := render(cluster)
	if err != nil {
		e.goal, e.hash, e.retrying = goalNothing, "", false
		status, message := describe(err)
		l.settle(e, status, message)
		return false, false
	}
	e.vanishes = made.Vanishes
	if e.hash == made.Hash {
		return true, false
	}
	e.hash, e.retrying, e.until = made.Hash, false, time.Time{}
	return true, true
}

// describe says in the status why an object cannot be rendered.
func describe(err error) (federate.PropagationStatus, string) {
	var bad *federate.RenderError
	var unread *federate.ParseError
	switch {
	case errors.As(err, &bad):
		return bad.Status, bad.Detail()
	case errors.As(err, &unread):
		return unread.Status, unread.Error()
	}
	return federate.ComputeResourceFailed, err.Error()
}

// planApplied says whether an item must be queued for a cluster that is to hold the object.
func (l *Ledger) planApplied(e *entry, s *Situation, now time.Time) (queue bool) {
	e.look(s.Sighting)
	switch {
	case !s.Ready && !s.Probed:
		l.await(e, forProbe) // the first probe decides; the cluster's change queues us again
		return false
	case !s.Ready:
		e.retrying, e.until = false, time.Time{}
		l.settle(e, federate.ClusterNotReady, notReady(s.Cluster))
		return false
	case !s.Listed && s.Problem == "":
		l.await(e, forList) // the end of the list queues us again
		return false
	case !s.Listed:
		l.settle(e, federate.CachedRetrievalFailed, s.Problem)
		return false
	case s.Unserved:
		e.retrying, e.until = false, time.Time{}
		l.settle(e, federate.CachedRetrievalFailed, s.Problem)
		return false
	case l.upToDate(e, s.Sighting):
		e.retrying, e.until = false, time.Time{}
		status, message := holding(s.Sighting)
		l.settle(e, status, message)
		return false
	case l.isLost(e, s.Sighting):
		e.retrying, e.until = false, time.Time{}
		l.settle(e, federate.LabelStripped, notWrittenAgain)
		return false
	case l.done(e, s.Sighting):
		e.retrying, e.until = false, time.Time{}
		l.settle(e, federate.Completed, e.completion())
		return false
	case s.Shown && !s.Managed:
		// An item would find the same and queue the host's, and that the item again.
		e.retrying = false
		l.settle(e, federate.ManagedLabelFalse, federate.KeptOutMessage)
		return false
	case s.Shown && s.Deleting:
		e.retrying = false
		l.settle(e, federate.WaitingForRemoval, "the object is being deleted in the cluster; it is created again when it is gone")
		return false
	case e.retrying, now.Before(e.until):
		return false // the next try is scheduled
	}
	l.await(e, forAnswer)
	return true
}

// holding is what the status says of a cluster that held what is wanted when its watch
// told last.
func holding(s Sighting) (status federate.PropagationStatus, message string) {
	if s.Problem == "" {
		return federate.ClusterPropagationOK, ""
	}
	return federate.CachedRetrievalFailed, "what the cluster holds by now is not known: " + s.Problem
}

// notReady says that a cluster is not ready in words that stay the same from
// probe to probe: a status is written again whenever it says something else.
func notReady(c Cluster) string {
	return fmt.Sprintf("the cluster is not ready (%s), see: fedctl get clusters", c.Reason)
}

// beingDeleted is the message while the member takes its time.
const beingDeleted = "the object is being deleted in the cluster"

// planAbsent says whether an item must be queued for a cluster that is not to hold the object.
func (l *Ledger) planAbsent(e *entry, s *Situation, now time.Time) (queue bool) {
	if e.goal != goalAbsent {
		e.goal, e.hash, e.retrying, e.removedAt, e.until, e.kept = goalAbsent, "", false, time.Time{}, time.Time{}, time.Time{}
	}
	switch {
	case !s.Probed && !s.Ready, s.Ready && !s.Listed:
		l.planUnread(e, s)
		return false
	case !s.Ready:
		if !s.Shown && !e.mayBeThere() {
			e.goal = goalNothing // it has never been there
			l.settle(e, "", "")
			return false
		}
		l.settle(e, federate.WaitingForRemoval, notReady(s.Cluster)+"; to give it up: fedctl unjoin "+s.Name+" --force")
		return false
	case e.arrival != arrivalSent && (goneFor(e, s.Sighting) || endsItself(s)):
		l.clear(e)
		return false
	case s.Unserved && !s.Undefined:
		e.retrying = false
		l.settle(e, federate.WaitingForRemoval, unreachable(s))
		return false
	case e.retrying:
		return false
	case s.Shown && !e.pending && !endsItself(s) && (s.Deleting || l.removalSent(e, s.Sighting, now)):
		l.settle(e, federate.WaitingForRemoval, s.goingOn(beingDeleted))
		return false
	}
	l.await(e, forAnswer)
	return true
}

// planUnread notes what a removal waits for where it is not known what the cluster holds:
// what is read next decides, and queues us again.
func (l *Ledger) planUnread(e *entry, s *Situation) {
	switch {
	case !s.Shown && !e.mayBeThere():
		e.goal = goalNothing // it has never been there; what is listed may show it all the same
		l.settle(e, "", "")
	case !s.Ready:
		l.await(e, forProbe)
	case s.Problem == "":
		l.await(e, forList)
	default:
		l.settle(e, federate.WaitingForRemoval, "it is not known whether the cluster holds the object: "+s.Problem)
	}
}

// unreachable says why an object that may be in a cluster cannot be removed from it, and
// how to do without.
func unreachable(s *Situation) string {
	return fmt.Sprintf("%s; the object may still be stored there. To leave it: kubectl annotate, with kubefed.io/orphan=true, or fedctl unjoin %s --force", s.Problem, s.Name)
}

// goingOn adds to a message that the watch may not tell when it has come to an end.
func (s *Sighting) goingOn(message string) string {
	if s.Problem != "" {
		message += "; " + s.Problem
	}
	return message
}

// goneFor says that the cluster holds no object of ours: none is there, or its owner
// keeps it out of the federation.
func goneFor(e *entry, s Sighting) bool {
	return !s.Shown && (s.Undefined || !e.mayBeThere()) || s.Shown && !s.Managed
}

// endsItself says that what is never deleted, and would only lose the label, is being
// deleted by somebody else. To wait for that might be to wait for ever: a namespace of the
// host is not gone before the finalizers in it are, its own FederatedNamespace's among them.
func endsItself(s *Situation) bool { return s.Keeps && s.Shown && s.Deleting }

// removalSent says whether this very object has been deleted already, and only the
// watch has not told yet.
func (l *Ledger) removalSent(e *entry, s Sighting, now time.Time) bool {
	return e.removed == s.UID && now.Sub(e.removedAt) < l.settings.RequestTimeout
}
