package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

func TestBegin(t *testing.T) {
	plan := func(_ *testing.T, b *book) { b.plan() }
	applied := func(t *testing.T, b *book) { b.apply(t, "m") }
	exact := func(t *testing.T, b *book) {
		b.exact = true
		b.apply(t, "m")
	}
	deselected := func(t *testing.T, b *book) {
		b.apply(t, "m")
		b.wanted.Revision = "2"
		b.set("m", func(s *Situation) { s.Selected = false })
		b.plan()
	}
	for name, test := range map[string]struct {
		before func(t *testing.T, b *book)
		then   func(s *Situation, b *book)
		action Action
		next   Next
	}{
		"to be applied":                             {plan, nil, Apply, Next{}},
		"there, but never applied":                  {plan, func(s *Situation, _ *book) { s.Sighting = held }, Apply, Next{}},
		"not ready any more":                        {plan, func(s *Situation, _ *book) { s.Cluster = unready }, Nothing, Next{Decide: true, Forget: true}},
		"being listed":                              {plan, func(s *Situation, _ *book) { s.Listed = false }, Nothing, Next{Decide: true, Forget: true}},
		"no longer served":                          {plan, func(s *Situation, _ *book) { s.Unserved = true }, Nothing, Next{Decide: true, Forget: true}},
		"nothing was decided":                       {nil, nil, Nothing, Next{}},
		"nothing was decided, and it is there":      {nil, func(s *Situation, _ *book) { s.Sighting = held }, Nothing, Next{Decide: true}},
		"kept out meanwhile":                        {plan, func(s *Situation, _ *book) { s.Sighting = held; s.Managed = false }, Nothing, Next{Decide: true}},
		"being deleted":                             {plan, func(s *Situation, _ *book) { s.Sighting = held; s.Deleting = true }, Nothing, Next{Decide: true}},
		"the object has changed":                    {plan, func(_ *Situation, b *book) { b.wanted.Revision = "2" }, Nothing, Next{Decide: true}},
		"the object is being deleted":               {plan, func(_ *Situation, b *book) { b.wanted.Deleting = true }, Nothing, Next{Decide: true}},
		"the object is another one":                 {plan, func(_ *Situation, b *book) { b.wanted.UID = "v" }, Nothing, Next{Decide: true}},
		"the object is gone":                        {plan, func(_ *Situation, b *book) { b.wanted = Wanted{} }, Nothing, Next{Decide: true}},
		"it is rendered as another":                 {plan, func(_ *Situation, b *book) { b.hash = "h2" }, Nothing, Next{Decide: true}},
		"as it was applied":                         {applied, nil, Nothing, Next{}},
		"changed by somebody":                       {applied, func(s *Situation, _ *book) { s.Owned = 8 }, Repair, Next{}},
		"added to by somebody":                      {applied, func(s *Situation, _ *book) { s.Foreign = "x: a" }, Nothing, Next{}},
		"exact, and added to by somebody":           {exact, func(s *Situation, _ *book) { s.Foreign = "x: a" }, Repair, Next{}},
		"exact, and as it was applied":              {exact, nil, Nothing, Next{}},
		"changed, its version is unknown":           {applied, func(s *Situation, _ *book) { s.Owned, s.Version = 8, "" }, Apply, Next{}},
		"deleted by somebody":                       {applied, func(s *Situation, _ *book) { s.Sighting = absent }, Apply, Next{}},
		"to be removed":                             {deselected, nil, Remove, Next{}},
		"to be unlabelled":                          {deselected, func(s *Situation, _ *book) { s.Keeps = true }, Unlabel, Next{}},
		"applied and not shown: it is asked":        {deselected, func(s *Situation, _ *book) { s.Sighting = absent }, Remove, Next{}},
		"to be removed, and taken out by its owner": {deselected, func(s *Situation, _ *book) { s.Managed = false }, Nothing, Next{Decide: true}},
		"to be removed, and selected again":         {deselected, func(_ *Situation, b *book) { b.wanted.Revision = "3" }, Nothing, Next{Decide: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(federate.Status{})
			if test.before != nil {
				test.before(t, b)
			}
			if test.then != nil {
				b.set("m", func(s *Situation) { test.then(s, b) })
			}
			task, next := b.begin("m")
			if task.Action() != test.action || next != test.next {
				t.Errorf("does %d, then %+v; want %d, %+v", task.Action(), next, test.action, test.next)
			}
			if repairs := task.RepairVersion() != ""; repairs != (test.action == Repair) {
				t.Errorf("repairs version %q", task.RepairVersion())
			}
			if (b.open == 0) != b.since.IsZero() {
				t.Errorf("%d pending since %s", b.open, b.since)
			}
		})
	}
}

func TestRemovalThatIsRevokedIsNotCarriedOut(t *testing.T) {
	deleted := func(b *book) { b.deletion() }
	deselected := func(b *book) {
		b.plan()
		b.set("m", func(s *Situation) { s.Selected = false })
		b.plan()
	}
	for name, test := range map[string]struct {
		remove func(b *book)
		revoke func(w *Wanted)
	}{
		"the object is to be orphaned":      {deleted, func(w *Wanted) { w.Orphan = true }},
		"the finalizer is gone":             {deleted, func(w *Wanted) { w.HasFinalizer = false }},
		"another object has taken its name": {deselected, func(w *Wanted) { w.UID = "another" }},
		"the object is gone":                {deselected, func(w *Wanted) { *w = Wanted{} }},
		"the cluster is selected again":     {deselected, func(w *Wanted) { w.Revision = "2" }},
	} {
		for when, early := range map[string]bool{"before it is begun": true, "while the object is read": false} {
			t.Run(name+" "+when, func(t *testing.T) {
				b := newBook(federate.Status{})
				b.set("m", func(s *Situation) { s.Sighting = held })
				test.remove(b)
				if early {
					test.revoke(&b.wanted)
					if task, next := b.begin("m"); task.Action() != Nothing || !next.Decide {
						t.Errorf("does %+v, %+v", task, next)
					}
					return
				}
				task, _ := b.begin("m")
				if task.Action() != Remove {
					t.Fatalf("does %+v", task)
				}
				test.revoke(&b.wanted)
				if sent, next := b.SendingRemoval(task, b.wanted, held, b.now); sent != SendNot || !next.Decide {
					t.Errorf("it would be deleted all the same: %d, %+v", sent, next)
				}
			})
		}
	}
}

func TestWaitingForANamespace(t *testing.T) {
	for name, test := range map[string]struct {
		namespace Namespace
		after     time.Duration
		action    Action
	}{
		"it is there":                  {NamespaceThere, 0, Apply},
		"it is on its way":             {NamespaceMissing, 0, Wait},
		"it does not come":             {NamespaceMissing, 5 * time.Second, Apply},
		"it is being deleted":          {NamespaceLeaving, 0, Wait},
		"it is being deleted for long": {NamespaceLeaving, time.Hour, Wait},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(federate.Status{})
			b.plan()
			b.now = b.now.Add(test.after)
			task, _ := b.Begin(Try{Situation: b.situation("m"), Wanted: b.wanted, Render: b.render, Namespace: test.namespace}, b.now)
			if task.Action() != test.action || (task.Wait() != 0) != (test.action == Wait) {
				t.Errorf("does %d, waits %s", task.Action(), task.Wait())
			}
		})
	}
}

// Something keeps changing what the template sets.
func TestRepairsWaitLongerEachTime(t *testing.T) {
	b := newBook(federate.Status{})
	b.apply(t, "m")
	b.set("m", func(s *Situation) { s.Owned = 8 })
	var waits []time.Duration
	fights := 0
	for range 14 {
		task, _ := b.begin("m")
		if task.Action() == Wait {
			short, e := task.Wait() < b.settings.SettleTimeout, b.entries["m"]
			if e.pending != short || (b.Waits(b.now) != 0) != short {
				t.Fatalf("%s: the status waits: %t", task.Wait(), e.pending)
			}
			if o := b.outcome("m"); o.Status != federate.Drifted || o.Message != fmt.Sprintf(drifting, b.now.Add(task.Wait()).UTC().Format(time.RFC3339)) {
				t.Fatalf("%s: the status says %+v", task.Wait(), o)
			}
			if work := b.plan(); len(work.Queue) > 0 {
				t.Fatal("a decision does not let it wait")
			}
			waits = append(waits, task.Wait())
			b.now = b.now.Add(task.Wait())
			task, _ = b.begin("m")
		}
		if task.Fight() {
			fights++
		}
		b.Sending(task, false)
		b.Applied(task, Holding{Owned: 7}, b.now)
	}
	var want []time.Duration
	for _, milliseconds := range []int{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000, 60000} {
		want = append(want, time.Duration(milliseconds)*time.Millisecond)
	}
	if !slices.Equal(waits, want) {
		t.Errorf("waits %v", waits)
	}
	if fights != 1 {
		t.Errorf("told %d times", fights)
	}
	b.now = b.now.Add(3 * time.Minute)
	if task, _ := b.begin("m"); task.Action() != Repair || b.entries["m"].repairDelay != minRepairDelay {
		t.Errorf("after a long peace: %+v, delay %s", task, b.entries["m"].repairDelay)
	}
}

func TestRelease(t *testing.T) {
	for name, test := range map[string]struct {
		s    Situation
		want Action
	}{
		"there":          {Situation{Cluster: ready, Sighting: held}, Unlabel},
		"not there":      {Situation{Cluster: ready, Sighting: absent}, Nothing},
		"not ready":      {Situation{Cluster: unready, Sighting: held}, Nothing},
		"not listed":     {Situation{Cluster: ready, Sighting: held.with(func(s *Sighting) { s.Listed = false })}, Nothing},
		"not ours":       {Situation{Cluster: ready, Sighting: held.with(func(s *Sighting) { s.Managed = false })}, Nothing},
		"on its way out": {Situation{Cluster: ready, Sighting: held.with(func(s *Sighting) { s.Deleting = true })}, Unlabel},
	} {
		if got := Release(test.s); got != test.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// The right to write comes with the namespace, or after it: the status waits for it for a
// while, and then says so, whoever has found out that it is missing.
func TestWaitingForRights(t *testing.T) {
	const why = "not bound yet"
	lacking := func(b *book) Task {
		task, _ := b.Begin(Try{Situation: b.situation("m"), Wanted: b.wanted, Render: b.render, Lacking: why}, b.now)
		return task
	}
	refused := func(b *book) Task {
		task, _ := b.begin("m")
		b.Sending(task, false)
		b.Failed(task, Unbound, why, b.now)
		return task
	}
	for name, test := range map[string]struct {
		try    func(b *book) Task
		action Action
	}{
		"as is known before": {lacking, Wait},
		"as the answer says": {refused, Apply},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(federate.Status{})
			b.plan()
			if task := test.try(b); task.Action() != test.action {
				t.Fatalf("does %d", task.Action())
			}
			if b.Waits(b.now) == 0 {
				t.Error("the status does not wait")
			}
			b.now = b.now.Add(b.settings.SettleTimeout)
			if test.try(b); b.Waits(b.now) != 0 {
				t.Error("the status waits for ever")
			}
			if o := b.outcome("m"); o.Status != federate.WaitingForRights || o.Message != why {
				t.Errorf("the status says %+v", o)
			}
			b.apply(t, "m")
			if o := b.outcome("m"); o.Status != federate.ClusterPropagationOK {
				t.Errorf("the status says %+v when there is the right", o)
			}
		})
	}
	b := newBook(federate.Status{})
	b.apply(t, "m")
	if task := lacking(b); task.Action() != Nothing {
		t.Errorf("what is there waits for rights: %d", task.Action())
	}
	b.wanted.Revision = "2"
	b.set("m", func(s *Situation) { s.Selected = false })
	b.plan()
	if task := lacking(b); task.Action() != Remove {
		t.Errorf("a removal waits for rights: %d", task.Action())
	}
}
