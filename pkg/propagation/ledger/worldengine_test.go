package ledger

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// What the engine does in a world.

func (w *world) decide() {
	w.hostQueued = false
	var clusters []Situation
	for _, name := range names {
		m := w.members[name]
		clusters = append(clusters, w.situation(m))
		if !w.selected[name] {
			m.past.done = ""
		}
		m.was = m.was || w.selected[name] && !w.wanted.Deleting
		limit := w.settings.UnreadyDeletionTimeout
		m.givenUp = m.givenUp || w.wanted.Deleting && limit > 0 && m.probed && !m.ready && w.now.Sub(w.deleted) > limit
	}
	var queue []string
	waiting, record := 1, false
	switch {
	case w.wanted.Deleting && w.wanted.Orphan:
		w.gone = true
		return
	case w.wanted.Deleting:
		queue, waiting = w.ledger.PlanDeletion(Deletion{At: w.deleted, Clusters: clusters}, w.now)
	default:
		work := w.ledger.Plan(Decision{Revision: w.wanted.Revision, Exact: w.exact, Consumed: w.consumed, Clusters: clusters, Render: w.render}, w.now)
		queue, record = work.Queue, work.Record
	}
	w.note("decided: queue %v, waiting %d", queue, waiting)
	for _, name := range queue {
		w.members[name].queued = true
	}
	if waiting == 0 {
		w.gone = true
		w.checkNothingLeft()
		return
	}
	if wait := w.ledger.Waits(w.now); wait > 0 && !record {
		w.hostTimers = append(w.hostTimers, w.now.Add(wait))
		return
	}
	w.reported = w.ledger.Outcomes()
	w.ledger.Reported(true)
	w.checkReport()
	if record {
		w.hostQueued = true
	}
}

// restart has another process go on with what the status says. What was on its way has
// arrived or is lost.
func (w *world) restart() {
	status := federate.Status{}
	for _, o := range w.reported {
		status.Clusters = append(status.Clusters, federate.ClusterStatus{Name: o.Cluster, Status: o.Status, Message: o.Message, Version: o.Version})
	}
	w.ledger = New("u", status, &w.settings)
	w.hostQueued, w.hostTimers = true, nil
	for _, name := range names {
		m := w.members[name]
		if m.flight != nil && m.flight.sent && !m.flight.arrived && w.pick(2) == 0 {
			w.arrive(m)
		}
		m.flight, m.queued, m.timers, m.events = nil, false, nil, nil
		m.past.forget(status.Cluster(name))
		m.shown = Sighting{Problem: m.problem}
		if !m.ready {
			m.probed = false
		}
	}
	w.note("another process: %+v", status.Clusters)
}

func (w *world) next(n Next) {
	if n.Decide {
		w.hostQueued = true
	}
	if n.Report {
		w.hostTimers = append(w.hostTimers, w.now.Add(time.Second))
	}
}

func (m *member) later(at time.Time) { m.timers = append(m.timers, at) }

func (w *world) begin(m *member) {
	m.queued = false
	task, next := w.ledger.Begin(Try{Situation: w.situation(m), Wanted: w.wantedIn(m), Render: w.render, Namespace: w.namespace()}, w.now)
	w.note("%s: begins %+v %+v, wanted %+v", m.name, task, next, w.wanted)
	w.next(next)
	switch task.Action() {
	case Nothing:
	case Wait:
		m.later(w.now.Add(task.Wait()))
	case Apply, Repair:
		if w.ledger.Sending(task, false) {
			m.flight = &flight{task: task, sent: true}
		}
	case Remove, Unlabel:
		m.flight = &flight{task: task, there: m.shown}
	}
}

// namespace is missing now and then, for a while.
func (w *world) namespace() Namespace {
	if w.quiet || w.pick(4) > 0 {
		return NamespaceThere
	}
	return Namespace(w.pick(3))
}

// arrive has what was sent reach the cluster.
func (w *world) arrive(m *member) {
	f := m.flight
	f.arrived = true
	switch action := f.task.Action(); {
	case m.shown.Unserved:
		astray := Unserved
		f.problem = &astray
		return
	case action == Apply || action == Repair:
		if m.object != nil && m.object.labelled && !m.object.managed {
			kept := KeptOut
			f.problem = &kept
			return
		}
		w.write(m, f.task.Hash())
		f.wrote = m.sighting()
	case m.object == nil:
	case fmt.Sprint(m.object.version) != f.there.Version && m.object.managed:
		f.there = m.sighting() // a conflict: it is read, and the same done to it
		m.observe(f.there)
		w.arrive(m)
	case fmt.Sprint(m.object.version) != f.there.Version: // it is its owner's by now
	case action == Unlabel:
		m.object.labelled, m.object.managed = false, false
		m.tell()
	default:
		m.delete()
	}
}

// proceed makes the next step of the item in work. When it is quiet, every request
// arrives and is answered.
func (w *world) proceed(m *member) {
	f := m.flight
	removal := f.task.Action() == Remove || f.task.Action() == Unlabel
	switch {
	case removal && !f.sent:
		w.sendRemoval(m)
		return
	case !f.arrived && (w.quiet || w.pick(3) > 0):
		w.arrive(m)
		w.note("%s: the request arrives", m.name)
		return
	}
	m.flight = nil
	if f.problem == nil && !f.arrived || !w.quiet && w.pick(5) == 0 {
		late := Late
		if w.pick(2) == 0 {
			late = Refused // such as a connection that was reset
		}
		f.problem = &late
	}
	if f.problem != nil {
		w.note("%s: failed %d", m.name, *f.problem)
		w.next(w.ledger.Failed(f.task, *f.problem, "message", w.now))
		m.later(w.now.Add(time.Second))
		return
	}
	w.answered(m, f, removal)
}

func (w *world) answered(m *member, f *flight, removal bool) {
	w.note("%s: answered", m.name)
	switch {
	case f.parted:
		w.next(w.ledger.Parked(m.name))
	case !removal: // it was there, and the answer says so, whatever has become of it
		m.observe(f.wrote)
		w.next(w.ledger.Applied(f.task, Holding{UID: f.wrote.UID, Owned: f.wrote.Owned, Trace: f.wrote.Trace}, w.now))
	case f.task.Action() == Unlabel || m.object == nil || m.object.uid != f.there.UID || !m.object.managed:
		w.forget(m, f.there.UID)
		w.next(w.ledger.Removed(f.task, w.now))
	default:
		w.removing(m, f.task)
	}
}

// forget is what a member's store does when an object is known to be gone.
func (w *world) forget(m *member, uid types.UID) {
	if m.shown.UID == uid && m.shown.Managed { // that its owner keeps it out stays known
		m.show(Sighting{})
	}
}

func (w *world) removing(m *member, task Task) {
	wait, next := w.ledger.Removing(task, m.shown, w.now)
	w.next(next)
	if wait > 0 {
		m.later(w.now.Add(wait))
	}
}

func (w *world) sendRemoval(m *member) {
	f := m.flight
	if !f.there.Shown { // nothing is shown: it is read
		if m.object == nil || !m.object.managed {
			m.flight = nil
			w.note("%s: a read finds nothing", m.name)
			w.next(w.ledger.Removed(f.task, w.now))
			return
		}
		f.there = m.sighting()
		m.observe(f.there)
	}
	sent, next := w.ledger.SendingRemoval(f.task, w.wantedIn(m), f.there, w.now)
	w.next(next)
	w.note("%s: sends removal %d", m.name, sent)
	switch sent {
	case SendNow:
		f.sent = true
		if !f.there.Managed {
			w.failf("cluster %s: removes what its owner keeps out", m.name)
		}
		if !m.was && !m.keeps && !w.wanted.Deleting {
			w.failf("cluster %s: removes what was found there", m.name)
		}
		if w.selected[m.name] && !w.wanted.Deleting || w.wanted.Orphan {
			w.failf("cluster %s: removes what is wanted", m.name)
		}
	case SentAlready:
		m.flight = nil
		w.removing(m, f.task)
	case SendNot:
		m.flight = nil
	}
}

// fire moves the time to the next timer.
func (w *world) fire() bool {
	var earliest time.Time
	for _, at := range w.hostTimers {
		if earliest.IsZero() || at.Before(earliest) {
			earliest = at
		}
	}
	for _, m := range w.members {
		for _, at := range m.timers {
			if earliest.IsZero() || at.Before(earliest) {
				earliest = at
			}
		}
	}
	if earliest.IsZero() {
		return false
	}
	if earliest.After(w.now) {
		w.now = earliest
	}
	due := func(at time.Time) bool { return !at.After(w.now) }
	if slices.ContainsFunc(w.hostTimers, due) {
		w.hostTimers = slices.DeleteFunc(w.hostTimers, due)
		w.hostQueued = true
	}
	for _, m := range w.members {
		if slices.ContainsFunc(m.timers, due) {
			m.timers = slices.DeleteFunc(m.timers, due)
			m.queued = true
		}
	}
	return true
}
