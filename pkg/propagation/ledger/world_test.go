package ledger

import (
	"fmt"
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
	exact    bool
	ends     bool // objects end by themselves
	vanishes bool // and the clusters remove those that have
	consumed federate.Consumption
	template int
	selected map[string]bool
	deleted  time.Time
	gone     bool // the finalizer was removed
	restarts bool // the process dies now and then; the placement stays as it is
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
	givenUp       bool   // a deletion did not wait for it
	problem       string // why it cannot be listed
	membership    int
	joined        time.Time
	was           bool // it was selected in this membership

	object *thing   // that is really there
	events []event  // that the watch has not told yet
	shown  Sighting // what it has told
	passed int      // the newest version it has told
	past   past     // what has become of objects there

	queued bool
	timers []time.Time
	flight *flight
}

// event is what a watch tells; last is how an object was that is gone.
type event struct {
	Sighting

	last Sighting
}

// thing is an object in a cluster.
type thing struct {
	uid               types.UID
	version           int
	hash              string
	owned             uint64
	writers           int  // the version in which managedFields changed last
	covert            bool // it was written without a change there, and nobody has been told
	labelled, managed bool
	byOthers          bool // somebody else has given it our label
	stays             bool // something in the cluster holds it with a finalizer
	deleting          bool
	ended             federate.Ending
	foreign           string // what others have added
}

// flight is the one item of a cluster that is in work.
type flight struct {
	task    Task
	sent    bool // an apply, or a removal
	arrived bool
	parted  bool     // the connection it came through was let go
	there   Sighting // what a removal was sent for
	wrote   Sighting // what an apply has made
	problem *Trouble
}

var names = []string{"a", "b", "c"}

func newWorld(t *testing.T, pick func(n int) int) *world {
	w := &world{
		t: t, pick: pick, now: time.Unix(1000, 0), selected: map[string]bool{}, members: map[string]*member{},
		settings: Settings{SettleTimeout: 5 * time.Second, RequestTimeout: 15 * time.Second},
	}
	if w.pick(3) == 0 {
		w.settings.UnreadyDeletionTimeout = 10 * time.Second
	}
	w.ends = w.pick(2) == 0
	w.vanishes = w.ends && w.pick(2) == 0
	w.consumed = []federate.Consumption{0, 0, 0, federate.AlwaysConsumed, federate.NeverConsumed}[w.pick(5)]
	w.wanted, w.exact = Wanted{UID: "u", Revision: "0", HasFinalizer: true}, w.pick(2) == 0
	var status federate.Status
	for _, name := range names {
		m := &member{name: name, ready: true, probed: true, shown: Sighting{Listed: true}, past: pastOf(nil)}
		m.keeps = name == "c" && w.pick(2) == 0
		w.members[name] = m
		w.selected[name] = w.pick(3) > 0
		if w.pick(4) == 0 { // an earlier process has been here
			w.write(m, "t0-"+name)
			m.relist()
			m.was = true
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
	if len(status.Clusters) == 0 {
		w.ledger.Begun()
	}
	for _, c := range status.Clusters {
		w.reported = append(w.reported, federate.Outcome{Cluster: c.Name, Version: c.Version})
	}
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

func (w *world) render(cluster string) (Rendering, error) {
	return Rendering{Hash: w.hash(cluster), Vanishes: w.vanishes}, nil
}

func (w *world) changed() { w.wanted.Revision = federate.Revision(fmt.Sprint(w.wanted.Revision, "+")) }

// What really happens in a cluster.

func (m *member) tell() { m.tellOf(Sighting{}) }

func (m *member) tellOf(last Sighting) {
	s := Sighting{Listed: true}
	if o := m.object; o != nil && o.labelled {
		s = m.sighting()
	}
	s.Version = fmt.Sprint(m.version())
	m.events = append(m.events, event{s, last})
}

func (m *member) sighting() Sighting {
	o := m.object
	return Sighting{Listed: true, Shown: true, UID: o.uid, Version: fmt.Sprint(o.version), Owned: o.owned, Managed: o.managed, Deleting: o.deleting, Ended: o.ended, Foreign: o.foreign, Trace: o.trace()}
}

var clock int // of versions and UIDs, of all clusters

func (m *member) version() int { clock++; return clock }

func (w *world) write(m *member, hash string) {
	if m.object == nil {
		if m.past.done != "" && m.past.done == hash && w.consumed != federate.NeverConsumed {
			w.failf("cluster %s: what has ended is made again", m.name)
		}
		m.object = &thing{uid: types.UID(fmt.Sprint("uid", m.version()))}
	}
	o := m.object
	m.past.wrote(hash, o.ended)
	again := o.hash != "" && o.managed && o.foreign == "" && !w.restarts && w.pick(3) == 0 // the same fields, within the same second
	o.hash, o.labelled, o.managed, o.byOthers = hash, true, true, false
	if w.exact {
		o.foreign = ""
	}
	o.version, o.covert = m.version(), false
	if !again {
		o.owned, o.writers = uint64(o.version), o.version
	}
	m.tell()
}

// writeCovertly is another host that writes the same fields within the same second.
func (m *member) writeCovertly() {
	o := m.object
	o.hash, o.version, o.covert = "another host's", m.version(), true
	m.tell()
}

func (o *thing) trace() Trace {
	return Trace{Version: uint64(o.version), Writers: uint64(o.writers), Content: uint64(o.version)}
}

func (m *member) touch() {
	m.object.version = m.version()
	m.object.writers = m.object.version
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
		last := m.sighting()
		m.object = nil
		if o.labelled {
			m.tellOf(last)
		}
	}
}

// observe is what a member's store does with an answer.
func (m *member) observe(s Sighting) {
	version := number(s.Version)
	s.Ended = "" // answers are asked for as metadata alone
	if s.UID == m.shown.UID {
		s.Ended = m.shown.Ended
	}
	if version > m.passed && (!m.shown.Shown || version > number(m.shown.Version)) {
		m.show(s)
	}
}

// show has the watch show something else of the object, and the same of itself.
func (m *member) show(s Sighting) {
	s.Listed, s.Problem, s.Unserved = m.shown.Listed, m.shown.Problem, m.shown.Unserved
	m.shown = s
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
	s, last := m.events[0].Sighting, m.events[0].last
	m.events = m.events[1:]
	version := number(s.Version)
	if m.shown.Shown && number(m.shown.Version) > version || !s.Shown && !m.shown.Shown {
		return // a write of ours has returned a newer one, or there was none anyway
	}
	m.passed = version
	if !s.Shown && w.ends {
		w.ledger.Deleted(m.name, last)
		m.past.lost = m.past.lost || last.Ended == ""
	}
	m.show(s)
	w.saw(m, s, last)
	expected := w.ledger.Seen(m.name, s)
	w.note("%s: watch shows %+v, expected %t", m.name, s, expected)
	if !expected {
		m.queued = true
	}
}

func (w *world) wantedIn(m *member) Wanted {
	wanted := w.wanted
	wanted.Membership = fmt.Sprint(m.membership)
	return wanted
}

func (w *world) situation(m *member) Situation {
	return Situation{
		Cluster:  Cluster{Name: m.name, Ready: m.ready, Probed: m.probed, Reason: "Offline", Keeps: m.keeps, Membership: fmt.Sprint(m.membership), Joined: m.joined},
		Sighting: m.shown, Selected: w.selected[m.name],
	}
}
