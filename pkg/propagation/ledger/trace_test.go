package ledger

import (
	"testing"

	"github.com/fedctl/fedctl/pkg/federate"
)

func TestWhatIsWrittenWithinTheSecondIsSeen(t *testing.T) {
	ours := Trace{Version: 5, Writers: 1, Content: 1}
	for name, test := range map[string]struct {
		seen     []Trace
		expected bool
	}{
		"our own write":                           {[]Trace{ours}, true},
		"by nobody":                               {[]Trace{{6, 1, 2}}, false},
		"by nobody, and by somebody else":         {[]Trace{{6, 1, 2}, {7, 2, 3}}, false},
		"by somebody else":                        {[]Trace{{6, 2, 2}}, true},
		"by somebody else, and by nobody":         {[]Trace{{6, 2, 2}, {7, 2, 3}}, false},
		"a status, or what is not ours":           {[]Trace{{6, 1, 1}, {7, 2, 1}}, true},
		"before ours, and told late":              {[]Trace{{4, 1, 2}}, true},
		"whose managedFields somebody has erased": {[]Trace{{6, 0, 2}}, true},
	} {
		for when, answer := range map[string]int{"after the answer": 0, "before the answer": len(test.seen)} {
			t.Run(name+", "+when, func(t *testing.T) {
				b := newBook(federate.Status{})
				b.plan()
				task, _ := b.begin("m")
				b.Sending(task, false)
				shown := held
				shown.Trace = ours
				if answer > 0 && test.seen[0].Version > ours.Version { // a watch leaves nothing out
					b.Seen("m", shown)
				}
				expected := false
				for i := 0; i <= len(test.seen); i++ {
					if i == answer {
						b.Applied(task, Holding{UID: held.UID, Owned: held.Owned, Trace: ours}, b.now)
					}
					if i < len(test.seen) {
						shown.Trace = test.seen[i]
						expected = b.Seen("m", shown)
					}
				}
				expected = expected || answer > 0 && b.UpToDate("m", shown)
				if expected != test.expected {
					t.Fatalf("expected %t, want %t: %+v", expected, test.expected, *b.entries["m"])
				}
				b.set("m", func(s *Situation) { s.Sighting = shown })
				b.plan()
				if task, _ = b.begin("m"); (task.Action() == Repair) == test.expected {
					t.Fatalf("does %d", task.Action())
				}
				if test.expected {
					return
				}
				b.Sending(task, false)
				b.Applied(task, Holding{UID: held.UID, Owned: held.Owned, Trace: shown.Trace}, b.now) // it has changed nothing
				if !b.UpToDate("m", shown) {
					t.Errorf("what was applied again is not known to be there: %+v", *b.entries["m"])
				}
			})
		}
	}
}

// Two hosts that write the same fields take turns ever more slowly.
func TestHostsThatShareAnObjectAreDamped(t *testing.T) {
	b := newBook(federate.Status{})
	b.apply(t, "m")
	shown, waited := held, b.now
	for version := uint64(10); version < 30; version += 2 {
		shown.Trace = Trace{version, 1, version}
		b.Seen("m", shown)
		shown.Trace = Trace{version + 1, 1, version + 1}
		b.Seen("m", shown)
		b.set("m", func(s *Situation) { s.Sighting = shown })
		task, _ := b.begin("m")
		if task.Action() == Wait {
			if o := b.outcome("m"); o.Status != federate.Drifted {
				t.Fatalf("the status says %+v", o)
			}
			b.now = b.now.Add(task.Wait())
			task, _ = b.begin("m")
		}
		if task.Action() != Repair {
			t.Fatalf("version %d: does %d", version, task.Action())
		}
		b.Sending(task, false)
		b.Applied(task, Holding{UID: held.UID, Owned: held.Owned, Trace: shown.Trace}, b.now)
	}
	if b.now.Sub(waited) < fightDelay {
		t.Errorf("ten repairs within %s", b.now.Sub(waited))
	}
}
