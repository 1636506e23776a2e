package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// world is one federated object, an engine that does with a ledger what the real one
// does, and clusters with everything that can happen in and between them: requests that
// are lost, watches that are late, people who delete and relabel. What happens next is
// picked step by step, so that anything may come between any two events.
type world struct {
	t    *testing.T
	pick func(n int) int
	log  []string

	now      time.Time
	settings Settings
	ledger   *Ledger
	wanted   Wanted
	template int
	selected map[string]bool
	deleted  time.Time
	gone     bool // the finalizer was removed
	quiet    bool // nobody interferes any more

	hostQueued bool
	hostTimers []time.Time
	members    map[string]*member
	reported   []federate.Outcome
}

// member is a cluster with its connection, watch, and share of the queue.
type member struct {
	name          string
	ready, probed bool
	keeps         bool

	object *thing     // that is really there
	events []Sighting // that the watch has not told yet
	shown  Sighting   // what it has told
	passed int        // the newest version it has told

	queued bool
	timers []time.Time
	flight *flight
}

// thing is an object in a cluster.
type thing struct {
	uid               types.UID
	version           int
	hash              string
	owned             uint64
	labelled, managed bool
	byOthers          bool // somebody else has given it our label
	stays             bool // something in the cluster holds it with a finalizer
	deleting          bool
}

// flight is the one item of a cluster that is in work.
type flight struct {
	task    Task
	sent    bool // an apply, or a removal
	arrived bool
	there   Sighting // what a removal was sent for
	problem *Trouble
}

var names = []string{"a", "b", "c"}

func newWorld(t *testing.T, pick func(n int) int) *world {
	w := &world{
		t: t, pick: pick, now: time.Unix(1000, 0), selected: map[string]bool{}, members: map[string]*member{},
		settings: Settings{SettleTimeout: 5 * time.Second, RequestTimeout: 15 * time.Second},
	}
	w.wanted = Wanted{UID: "u", Revision: "0", HasFinalizer: true}
	var status federate.Status
	for _, name := range names {
		m := &member{name: name, ready: true, probed: true, shown: Sighting{Listed: true}}
		m.keeps = name == "c" && w.pick(2) == 0
		w.members[name] = m
		w.selected[name] = w.pick(3) > 0
		if w.pick(4) == 0 { // an earlier process has been here
			w.write(m, "t0-"+name)
			m.relist()
			c := federate.ClusterStatus{Name: name}
			if w.pick(2) == 0 {
				c.Version = fmt.Sprintf("t0-%s.%016x", name, m.object.owned)
			}
			status.Clusters = append(status.Clusters, c)
		}
		if w.pick(4) == 0 {
			m.ready, m.probed = false, w.pick(2) == 0
		}
		if w.pick(4) == 0 {
			m.shown.Listed = false
		}
	}
	w.ledger = New("u", status, &w.settings)
	w.hostQueued = true
	return w
}

func (w *world) note(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

func (w *world) failf(format string, args ...any) {
	w.t.Helper()
	for i, line := range w.log[max(0, len(w.log)-60):] {
		w.t.Logf("%d %s", i, line)
	}
	w.t.Fatalf(format, args...)
}

func (w *world) hash(cluster string) string { return fmt.Sprintf("t%d-%s", w.template, cluster) }

func (w *world) render(cluster string) (string, error) { return w.hash(cluster), nil }

func (w *world) changed() { w.wanted.Revision = federate.Revision(fmt.Sprint(w.wanted.Revision, "+")) }

// What really happens in a cluster.

func (m *member) tell() {
	s := Sighting{Listed: true}
	if o := m.object; o != nil && o.labelled {
		s = m.sighting()
	}
	s.Version = fmt.Sprint(m.version())
	m.events = append(m.events, s)
}

func (m *member) sighting() Sighting {
	o := m.object
	return Sighting{Listed: true, Shown: true, UID: o.uid, Version: fmt.Sprint(o.version), Owned: o.owned, Managed: o.managed, Deleting: o.deleting}
}

var clock int // of versions and UIDs, of all clusters

func (m *member) version() int { clock++; return clock }

func (w *world) write(m *member, hash string) {
	if m.object == nil {
		m.object = &thing{uid: types.UID(fmt.Sprint("uid", m.version()))}
	}
	o := m.object
	o.hash, o.labelled, o.managed, o.byOthers = hash, true, true, false
	o.version = m.version()
	o.owned = uint64(o.version) //nolint:gosec // it counts from 1
	m.tell()
}

func (m *member) touch() {
	m.object.version = m.version()
	m.tell()
}

func (m *member) delete() {
	o := m.object
	switch {
	case o == nil:
	case o.stays:
		o.deleting = true
		m.touch()
	default:
		m.object = nil
		if o.labelled {
			m.tell()
		}
	}
}

// observe is what a member's store does with an answer.
func (m *member) observe(s Sighting) {
	version := number(s.Version)
	if version > m.passed && (!m.shown.Shown || version > number(m.shown.Version)) {
		s.Listed = m.shown.Listed
		m.shown = s
	}
}

func (m *member) relist() {
	m.events = nil
	m.shown = Sighting{Listed: true}
	if m.object != nil && m.object.labelled {
		m.shown = m.sighting()
	}
	m.passed = clock
}

func number(version string) (n int) {
	_, _ = fmt.Sscan(version, &n)
	return n
}

// watch has the watch tell the next event.
func (w *world) watch(m *member) {
	s := m.events[0]
	m.events = m.events[1:]
	version := number(s.Version)
	if m.shown.Shown && number(m.shown.Version) > version || !s.Shown && !m.shown.Shown {
		return // a write of ours has returned a newer one, or there was none anyway
	}
	m.passed = version
	s.Listed = m.shown.Listed
	m.shown = s
	expected := w.ledger.Seen(m.name, s)
	w.note("%s: watch shows %+v, expected %t", m.name, s, expected)
	if !expected {
		m.queued = true
	}
}

func (w *world) situation(m *member) Situation {
	return Situation{
		Cluster:  Cluster{Ready: m.ready, Probed: m.probed, Reason: "Offline", Keeps: m.keeps},
		Sighting: m.shown, Selected: w.selected[m.name],
	}
}

// The engine.

func (w *world) decide() {
	w.hostQueued = false
	clusters := map[string]Situation{}
	for name, m := range w.members {
		clusters[name] = w.situation(m)
	}
	var queue []string
	waiting := 1
	switch {
	case w.wanted.Deleting && w.wanted.Orphan:
		w.gone = true
		return
	case w.wanted.Deleting:
		queue, waiting = w.ledger.PlanDeletion(Deletion{At: w.deleted, Clusters: clusters}, w.now)
	default:
		queue = w.ledger.Plan(Decision{Revision: w.wanted.Revision, Clusters: clusters, Render: w.render}, w.now).Queue
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
	if wait := w.ledger.Waits(w.now); wait > 0 {
		w.hostTimers = append(w.hostTimers, w.now.Add(wait))
		return
	}
	w.reported = w.ledger.Outcomes()
	w.ledger.Reported()
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
	task, next := w.ledger.Begin(m.name, Try{Situation: w.situation(m), Wanted: w.wanted, Render: w.render, Namespace: w.namespace()}, w.now)
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
	case action == Apply || action == Repair:
		if m.object != nil && m.object.labelled && !m.object.managed {
			kept := KeptOut
			f.problem = &kept
			return
		}
		w.write(m, f.task.Hash())
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
	case !removal && m.object != nil && m.object.hash == f.task.Hash() && m.object.managed:
		m.observe(m.sighting())
		w.next(w.ledger.Applied(f.task, Holding{Owned: m.object.owned}, w.now))
	case !removal: // it was there, and the answer says so
		w.next(w.ledger.Applied(f.task, Holding{Owned: 1}, w.now))
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
		m.shown = Sighting{Listed: m.shown.Listed}
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
	sent, next := w.ledger.SendingRemoval(f.task, w.wanted, f.there, w.now)
	w.next(next)
	w.note("%s: sends removal %d", m.name, sent)
	switch sent {
	case SendNow:
		f.sent = true
		if !f.there.Managed {
			w.failf("cluster %s: removes what its owner keeps out", m.name)
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
