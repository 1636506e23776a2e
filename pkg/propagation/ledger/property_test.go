package ledger

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

// step lets one thing happen, whatever it is.
func (w *world) step() {
	m := w.members[names[w.pick(len(names))]]
	switch w.pick(16) {
	case 0, 1:
		if w.hostQueued {
			w.decide()
		}
	case 2, 3, 4:
		if m.queued && m.flight == nil {
			w.begin(m)
		}
	case 5, 6, 7:
		if m.flight != nil {
			w.proceed(m)
		}
	case 8, 9:
		if len(m.events) > 0 && m.shown.Listed && m.shown.Problem == "" {
			w.watch(m)
		}
	case 10:
		w.fire()
	case 11:
		w.now = w.now.Add(time.Duration(w.pick(8)) * time.Second)
	case 12:
		w.userActs(m)
	case 13:
		w.memberActs(m)
	case 14:
		w.connectionActs(m)
	case 15:
		if w.restarts && w.pick(2) == 0 {
			w.restart()
		}
		w.hostQueued = true // something that changes nothing
	}
	if !w.gone {
		w.check()
	}
}

// userActs changes the federated object.
func (w *world) userActs(m *member) {
	switch w.pick(8) {
	case 0, 1:
		w.template = w.pick(3) // also back to what it was
		w.changed()
	case 2, 3, 4:
		if w.restarts {
			return // that it was sent where it is not wanted any more may not be in the status yet
		}
		w.selected[m.name] = !w.selected[m.name]
		w.changed()
	case 5:
		if w.wanted.Deleting {
			w.wanted.Orphan = w.pick(2) == 0
		} else {
			w.exact = !w.exact
		}
	default:
		if !w.wanted.Deleting && w.pick(3) == 0 {
			w.wanted.Deleting, w.deleted = true, w.now
		}
	}
	w.note("user: wanted %+v, selected %v, template %d", w.wanted, w.selected, w.template)
	w.hostQueued = true
}

// memberActs is somebody in the member cluster.
func (w *world) memberActs(m *member) {
	o := m.object
	if o == nil || o.covert && len(m.events) > 0 { // that a list shows the later change alone does not happen here
		return
	}
	switch w.pick(9) {
	case 8: // another host that the cluster has joined
		if e := w.ledger.entries[m.name]; o.managed && o.hash != "" && !w.restarts && e != nil && e.tracedOf == o.uid && (m.shown.Trace.Writers == uint64(o.writers) || o.owned == uint64(o.writers)) {
			m.writeCovertly()
		}
	case 6:
		if w.ends && o.ended == "" && !o.deleting {
			o.ended = federate.Succeeded
			m.past.ended[o.hash] = true
			if o.labelled {
				m.touch()
			}
		}
	case 7: // the cluster removes what has ended
		if w.vanishes && o.ended != "" {
			m.delete()
		}
	case 0:
		m.delete()
	case 1: // a field that is ours
		o.hash, o.owned = "", uint64(1_000_000+w.pick(100))
		m.touch()
	case 2: // a field that is not
		if w.pick(2) == 0 {
			o.foreign = "somebody: field"
		}
		m.touch()
	case 3: // kept out, and back
		if o.labelled {
			o.managed, o.byOthers = !o.managed, true
			o.owned += 1_000_000
			o.hash = ""
			m.touch()
		}
	case 4: // the label is taken off
		if o.labelled {
			o.labelled, o.managed = false, false
			o.version = m.version()
			m.tell()
		}
	case 5: // a finalizer comes or goes
		o.stays = !o.stays
		if !o.stays && o.deleting {
			m.delete()
		}
	}
	w.note("%s: somebody acts: %+v", m.name, m.object)
}

// connectionActs is the connection to a member cluster.
func (w *world) connectionActs(m *member) {
	switch w.pick(6) {
	case 3: // the watch fails, and goes on failing
		m.shown.Problem = "no right to watch"
		w.hostQueued = true
	case 4: // nobody can say what is there
		m.shown.Listed, m.shown.Unserved, m.shown.Problem = true, true, "not served"
		w.hostQueued = true
	case 5: // it is let go, and joins again: perhaps before anybody has looked
		m.past = pastOf(m.object)
		if m.flight != nil {
			m.flight.parted = true
		}
		m.membership++
		m.was, m.shown.Listed, m.joined = false, false, w.now
		w.hostQueued = true
	case 0:
		if m.ready = !m.ready; m.ready && m.probed {
			m.shown.Listed = false // listed anew
		}
		m.probed = true
		w.hostQueued = true
	case 1:
		m.shown.Listed = false
		if w.pick(2) == 0 {
			m.problem = "forbidden"
		}
		m.shown.Problem = m.problem
		w.hostQueued = true
	case 2:
		w.list(m)
	}
	w.note("%s: ready %t, membership %d, shown %+v", m.name, m.ready, m.membership, m.shown)
}

// list has a list arrive, which tells all differences.
func (w *world) list(m *member) {
	before := m.shown
	m.problem = ""
	m.relist()
	w.saw(m, m.shown, Sighting{})
	before.Listed, before.Problem = true, ""
	if before != m.shown && !w.ledger.Seen(m.name, m.shown) {
		m.queued = true
	}
	w.hostQueued = true
}

// check holds what must be true after every event.
func (w *world) check() {
	open := 0
	for name, e := range w.ledger.entries {
		if e.pending {
			open++
		}
		if e.goal == goalApplied && !e.pending && e.status == federate.ClusterPropagationOK && (e.applied == "" || e.applied != e.hash) {
			w.failf("cluster %s: all is well, and nothing has said that it holds what is wanted: %+v", name, e)
		}
		m := w.members[name]
		if !w.hostQueued && !m.busy() {
			w.checkWord(m, e)
		}
	}
	w.checkReported()
	if open != w.ledger.open || (open == 0) != w.ledger.since.IsZero() {
		w.failf("%d pending, %d counted, unsettled since %s", open, w.ledger.open, w.ledger.since)
	}
	if open == 0 && w.ledger.Waits(w.now) != 0 {
		w.failf("settled, and the status waits")
	}
	for name, m := range w.members {
		if f := m.flight; f != nil && f.sent && (f.task.Action() == Apply || f.task.Action() == Repair) {
			e := w.ledger.entries[name]
			if (e == nil || !e.mayBeThere()) && !m.givenUp {
				w.failf("cluster %s: an apply is under way, and forgotten", name)
			}
		}
	}
}

// busy says whether what is known of a cluster is about to be worked on, or told.
func (m *member) busy() bool { return m.queued || m.flight != nil || len(m.events) > 0 }

// checkWord holds that a word is of what is known now, where nothing is about to be done.
func (w *world) checkWord(m *member, e *entry) {
	// While another cluster is pending, nothing is reported before it is decided again.
	fine := w.ledger.open > 0 || w.ledger.upToDate(e, m.shown) && m.ready && m.shown.Problem == ""
	switch {
	case e.goal == goalApplied && !e.pending && e.status == federate.ClusterPropagationOK && !fine:
		w.failf("cluster %s: all is well, and it is known to hold something else: %+v %+v", m.name, e, m.shown)
	case e.goal == goalAbsent && !e.pending && e.status == federate.ClusterPropagationOK:
		w.failf("cluster %s: a removal has no word: %+v", m.name, e)
	case !e.pending && e.message == beingDeleted && !m.shown.Shown:
		w.failf("cluster %s: it is being deleted, and is not there: %+v", m.name, e)
	case e.until.After(w.now) && m.ready && m.shown.Listed && len(m.timers) == 0:
		w.failf("cluster %s: put off until %s, and nothing comes then", m.name, e.until)
	}
}

// checkReport is asked when the status has just been written.
func (w *world) checkReport() {
	for _, o := range w.reported {
		m, e := w.members[o.Cluster], w.ledger.entries[o.Cluster]
		if o.Status == federate.ClusterPropagationOK && (e.pending || !m.busy() && !w.ledger.upToDate(e, m.shown)) {
			w.failf("cluster %s: reported as well, and it is known to hold something else: %+v %+v", m.name, e, m.shown)
		}
		if o.Status != federate.ClusterPropagationOK && o.Message == "" {
			w.failf("cluster %s: reported as %s without a reason", m.name, o.Status)
		}
	}
}

// checkReported holds that what has changed in the ledger is reported: at once, or when
// what is waited for is there.
func (w *world) checkReported() {
	if w.hostQueued || len(w.hostTimers) > 0 || w.ledger.open > 0 || w.reported == nil {
		return
	}
	for _, o := range w.ledger.Outcomes() {
		i := slices.IndexFunc(w.reported, func(r federate.Outcome) bool { return r.Cluster == o.Cluster })
		if i < 0 || w.reported[i].Status != o.Status || w.reported[i].Message != o.Message {
			w.failf("cluster %s: %+v, and reported is %+v", o.Cluster, o, w.reported)
		}
	}
}

// checkNothingLeft is asked when a deletion ends.
func (w *world) checkNothingLeft() {
	for name, m := range w.members {
		if m.givenUp || w.restarts && !m.was && !m.shown.Listed { // nobody has looked since it joined: the label is taken off when it is listed
			continue
		}
		if m.object != nil && m.object.managed && !m.object.byOthers && (!m.keeps || !m.object.deleting) { // that ends by itself
			w.failf("cluster %s: the deletion has ended, and it holds %+v", name, *m.object)
		}
		if f := m.flight; f != nil && f.sent && !f.arrived && (f.task.Action() == Apply || f.task.Action() == Repair) {
			w.failf("cluster %s: the deletion has ended, and an apply is under way", name)
		}
	}
}

// drain lets everything come to rest: clusters are ready, requests arrive, watches tell,
// and nobody interferes any more.
func (w *world) drain() {
	for _, m := range w.members {
		if !m.ready {
			m.ready, m.probed, m.shown.Listed = true, true, false // listed anew
		}
		if m.object != nil {
			m.object.stays = false
			if m.object.deleting {
				m.delete()
			}
		}
		if !m.shown.Listed || m.shown.Problem != "" {
			w.list(m)
		}
	}
	w.hostQueued, w.quiet = true, true
	for range 2000 {
		if w.gone {
			return
		}
		busy := false
		if w.hostQueued {
			w.decide()
			busy = true
		}
		for _, name := range names {
			m := w.members[name]
			switch {
			case m.flight != nil:
				w.proceed(m)
			case len(m.events) > 0:
				w.watch(m)
			case m.queued:
				w.begin(m)
			default:
				continue
			}
			busy = true
		}
		if !w.gone {
			w.check()
		}
		if !busy && !w.fire() {
			return
		}
	}
	w.failf("it does not come to rest")
}

// checkRest is asked when everything has come to rest.
func (w *world) checkRest() {
	if w.wanted.Deleting {
		if !w.gone {
			w.failf("the deletion has not ended: %+v", w.reported)
		}
		return
	}
	if w.ledger.open != 0 {
		w.failf("at rest, and %d clusters are pending", w.ledger.open)
	}
	for _, name := range names {
		m := w.members[name]
		keptOut := m.object != nil && m.object.labelled && !m.object.managed
		holds := m.object != nil && m.object.managed && m.object.hash == w.hash(name)
		switch {
		case keptOut:
		case w.selected[name] && (m.object == nil || !m.object.labelled) && w.isCompleted(name): // what has lost its label is no longer ours
			w.checkCompleted(m)
		case w.selected[name] && !holds:
			w.failf("cluster %s: at rest, and it holds %+v instead of %s", name, m.object, w.hash(name))
		case w.selected[name] && w.exact && m.object.foreign != "":
			w.failf("cluster %s: at rest, and it holds what others have added: %+v", name, m.object)
		case m.keeps && m.object != nil && m.object.deleting: // it ends by itself
		case !w.selected[name] && m.was && m.object != nil && m.object.managed:
			w.failf("cluster %s: at rest, and it holds what it is not to", name)
		}
	}
	for _, o := range w.reported {
		m := w.members[o.Cluster]
		if o.Status == federate.ClusterPropagationOK && (m.object == nil || !m.object.managed || m.object.hash != w.hash(o.Cluster)) {
			w.failf("cluster %s: the status says that all is well, and it holds %+v", o.Cluster, m.object)
		}
	}
}

func run(t *testing.T, steps int, pick func(n int) int) { newWorld(t, pick).play(steps) }

func (w *world) play(steps int) {
	for range steps {
		if w.step(); w.gone {
			return
		}
	}
	w.drain()
	w.checkRest()
}

func TestWhateverHappens(t *testing.T) { everywhere(t, run) }

func TestWhateverHappensToTheProcess(t *testing.T) {
	everywhere(t, func(t *testing.T, steps int, pick func(n int) int) {
		w := newWorld(t, pick)
		w.restarts = true
		w.play(steps)
	})
}

func everywhere(t *testing.T, run func(t *testing.T, steps int, pick func(n int) int)) {
	t.Helper()
	runs := 4000
	if testing.Short() {
		runs = 1000
	}
	for seed := range runs {
		random := rand.New(rand.NewPCG(1, uint64(seed)))
		run(t, 20+random.IntN(200), random.IntN)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzWhateverHappens(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"), 50)
	f.Add([]byte("the quick brown fox jumps over the lazy dog"), 200)
	f.Fuzz(func(t *testing.T, picks []byte, steps int) {
		i := 0
		run(t, min(max(steps, 0), 400), func(n int) int {
			if len(picks) == 0 {
				return 0
			}
			i++
			return (int(picks[i%len(picks)]) + i/len(picks)) % n
		})
	})
}

// Events in different clusters have nothing to do with each other: in whatever order
// they come, the ledger is the same in the end.
func TestOrderBetweenClustersDoesNotMatter(t *testing.T) {
	settings := &Settings{SettleTimeout: 5 * time.Second, RequestTimeout: 15 * time.Second}
	now := time.Unix(1000, 0)
	for seed := range 500 {
		random := rand.New(rand.NewPCG(2, uint64(seed)))
		clusters := map[string]Situation{}
		for _, name := range names {
			clusters[name] = randomSituation(random)
		}
		render := func(cluster string) (Rendering, error) { return Rendering{Hash: "h-" + cluster}, nil }
		wanted := Wanted{UID: "u", Revision: "1", HasFinalizer: true}
		// What happens in a cluster, in this order.
		scripts := map[string][]func(l *Ledger){}
		for _, name := range names {
			var task Task
			s, seen, outcome := clusterList(clusters)[slices.Index(names, name)], randomSituation(random).Sighting, random.IntN(3)
			scripts[name] = []func(l *Ledger){
				func(l *Ledger) { task, _ = l.Begin(Try{Situation: s, Wanted: wanted, Render: render}, now) },
				func(l *Ledger) { l.Sending(task, false) },
				func(l *Ledger) { l.Seen(name, seen) },
				func(l *Ledger) {
					switch outcome {
					case 0:
						l.Applied(task, Holding{Owned: 9}, now)
					case 1:
						l.Failed(task, Late, "late", now)
					case 2:
						l.Removed(task, now)
					}
				},
			}
		}
		var first *Ledger
		for range 6 {
			l := New("u", federate.Status{}, settings)
			l.Plan(Decision{Revision: "1", Clusters: clusterList(clusters), Render: render}, now)
			interleave(random, scripts, l)
			if first == nil {
				first = l
			} else if !reflect.DeepEqual(first, l) {
				t.Fatalf("seed %d: %s\nand %s", seed, dump(first), dump(l))
			}
		}
	}
}

func interleave(random *rand.Rand, scripts map[string][]func(*Ledger), l *Ledger) {
	at := map[string]int{}
	for len(at) < len(scripts) || at["a"]+at["b"]+at["c"] < 4*len(scripts) {
		name := names[random.IntN(len(names))]
		if at[name] < len(scripts[name]) {
			scripts[name][at[name]](l)
			at[name]++
		}
	}
}

func randomSituation(random *rand.Rand) Situation {
	flip := func() bool { return random.IntN(4) > 0 }
	return Situation{
		Cluster:  Cluster{Ready: flip(), Probed: flip(), Reason: "Offline"},
		Selected: flip(),
		Sighting: Sighting{Listed: flip(), Shown: flip(), Managed: flip(), Deleting: !flip(), UID: "x", Version: "5", Owned: uint64(random.IntN(3))},
	}
}

func dump(l *Ledger) (text string) {
	for _, name := range l.clusters() {
		text += fmt.Sprintf("%s %+v\n", name, *l.entries[name])
	}
	return text
}
