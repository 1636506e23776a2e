package ledger

import (
	"testing"

	"github.com/fedctl/fedctl/pkg/federate"
)

// goes has the watch on m tell that the object is gone; told: of its deletion, as it was last.
func (b *book) goes(told bool, ending federate.Ending) {
	if told {
		b.Deleted("m", held.with(func(s *Sighting) { s.Ended = ending }))
	}
	b.set("m", func(s *Situation) { s.Sighting = absent })
	b.Seen("m", absent)
}

// next is what another process makes of what the status says of m.
func (b *book) next(t *testing.T) *book {
	t.Helper()
	o := b.outcome("m")
	n := newBook(federate.Status{Clusters: []federate.ClusterStatus{{Name: "m", Status: o.Status, Message: o.Message, Version: o.Version}}})
	n.hash, n.vanishes, n.consumed, n.clusters = b.hash, b.vanishes, b.consumed, b.clusters
	return n
}

func TestWhatHasEndedIsNotMadeAgain(t *testing.T) {
	const succeeded, failed = federate.Succeeded, federate.Failed
	for name, test := range map[string]struct {
		vanishes bool
		consumed federate.Consumption
		// what happens to the object that was applied
		happens func(b *book)
		done    bool
	}{
		"deleted before it has ended":                     {happens: func(b *book) { b.goes(true, "") }},
		"deleted before it has ended, and would vanish":   {vanishes: true, happens: func(b *book) { b.goes(true, "") }},
		"gone, as a list tells":                           {happens: func(b *book) { b.goes(false, "") }},
		"gone, as a list tells, and would vanish":         {vanishes: true, happens: func(b *book) { b.goes(false, "") }, done: true},
		"succeeded, and gone":                             {happens: func(b *book) { b.goes(true, succeeded) }, done: true},
		"failed, and gone":                                {happens: func(b *book) { b.goes(true, failed) }, done: true},
		"seen to have ended, and gone while nobody looks": {happens: func(b *book) { b.ends(succeeded); b.goes(false, "") }, done: true},
		"seen to have ended, and being deleted": {happens: func(b *book) {
			b.ends(succeeded)
			b.set("m", func(s *Situation) { s.Deleting = true })
		}, done: true},
		"being deleted, and not ended": {happens: func(b *book) {
			b.set("m", func(s *Situation) { s.Deleting = true })
		}},
		"ended, and a new one deleted before it has": {happens: func(b *book) {
			b.ends(succeeded)
			b.set("m", func(s *Situation) { s.UID, s.Ended = "V", "" })
			b.Seen("m", b.clusters["m"].Sighting)
			b.goes(true, "")
		}},
		"consumed":                             {consumed: federate.AlwaysConsumed, happens: func(b *book) { b.goes(false, "") }, done: true},
		"consumed, as the watch tells":         {consumed: federate.AlwaysConsumed, happens: func(b *book) { b.goes(true, "") }, done: true},
		"never consumed, and succeeded":        {consumed: federate.NeverConsumed, happens: func(b *book) { b.goes(true, succeeded) }},
		"never consumed, and would vanish":     {vanishes: true, consumed: federate.NeverConsumed, happens: func(b *book) { b.goes(false, "") }},
		"another template, after it has ended": {happens: func(b *book) { b.goes(true, succeeded); b.hash, b.wanted.Revision = "h2", "2" }},
		"another cluster by now": {vanishes: true, happens: func(b *book) {
			b.goes(false, "")
			b.set("m", func(s *Situation) { s.Membership = "another" })
		}},
		"another cluster, and it had ended": {happens: func(b *book) {
			b.goes(true, succeeded)
			b.set("m", func(s *Situation) { s.Membership = "another" })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(federate.Status{})
			b.vanishes, b.consumed = test.vanishes, test.consumed
			b.apply(t, "m")
			b.plan()
			test.happens(b)
			b.check(t, test.done)
			if b.clusters["m"].Membership != "another" { // whose status has not been written yet
				b.next(t).check(t, test.done)
			}
		})
	}
}

// ends has the watch on m tell that the object has ended.
func (b *book) ends(ending federate.Ending) {
	b.set("m", func(s *Situation) { s.Ended = ending })
	b.Seen("m", b.clusters["m"].Sighting)
}

// check holds that the object of m is done, or to be made again, whoever asks first.
func (b *book) check(t *testing.T, done bool) {
	t.Helper()
	for range 2 {
		task, _ := b.begin("m")
		queued := len(b.plan().Queue) > 0
		status := b.outcome("m").Status
		if done && (task.Action() != Nothing || queued || status != federate.Completed) {
			t.Fatalf("done: action %d, queued %t, status %q", task.Action(), queued, status)
		}
		if !done && status == federate.Completed {
			t.Fatalf("not done: action %d, queued %t, status %q", task.Action(), queued, status)
		}
	}
}

// The watch may tell of the end of an object before the answer that it was made.
func TestTheEndMayBeToldBeforeTheAnswer(t *testing.T) {
	for _, test := range []struct {
		ending   federate.Ending
		vanishes bool
		done     bool
	}{{federate.Succeeded, false, true}, {"", true, false}} {
		b := newBook(federate.Status{})
		b.vanishes = test.vanishes
		b.plan()
		task, _ := b.begin("m")
		b.Sending(task, false)
		b.goes(true, test.ending)
		b.Applied(task, Holding{UID: held.UID, Owned: held.Owned}, b.now)
		b.check(t, test.done)
	}
}

// One that is made anew, after somebody has deleted it, is not taken for the one before.
func TestOneThatIsMadeAnewHasAFateOfItsOwn(t *testing.T) {
	b := newBook(federate.Status{})
	b.vanishes = true
	b.apply(t, "m")
	b.goes(true, "")
	task, _ := b.begin("m")
	if task.Action() != Apply || !b.Sending(task, false) {
		t.Fatalf("it is not made again: %+v", task)
	}
	b.Applied(task, Holding{UID: "V", Owned: 8}, b.now)
	b.goes(false, "")
	b.check(t, true)
}
