package ledger

import (
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Whatever a record says, an object goes only if it was selected in the present membership.
func TestOnlyWhatThisMembershipHasSelectedIsRemoved(t *testing.T) {
	status := func(version, written string) federate.Status {
		return federate.Status{
			Clusters:   []federate.ClusterStatus{{Name: "n", Version: version}},
			Conditions: []federate.Condition{{Type: federate.ConditionPropagation, LastUpdateTime: written}},
		}
	}
	joined := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const before, after = "2025-12-31T00:00:00Z", "2026-01-02T00:00:00Z"
	for name, test := range map[string]struct {
		status  federate.Status
		removed bool
	}{
		"there is no record":                       {federate.Status{}, false},
		"selected in this membership":              {status("h1.0000000000000007.now", before), true},
		"selected in another one":                  {status("h1.0000000000000007.then", after), false},
		"of no membership, written in this one":    {status("h1.0000000000000007", after), true},
		"of no membership, written before it":      {status("h1.0000000000000007", before), false},
		"of no membership, written at no time":     {status("h1.0000000000000007", ""), false},
		"without a version, written in this one":   {status("", after), true},
		"without a version, written before it":     {status("", before), false},
		"found by this one":                        {status(".0000000000000000.now.3e0", after), false},
		"found by another one":                     {status(".0000000000000000.then.3e0", after), false},
		"a version that is none":                   {status("x.y.now", before), false},
		"found at a time that is none":             {status("h.0000000000000007.now.never", before), false},
		"of a membership, more than is understood": {status("h.0000000000000007.now.3e0.more", before), false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(test.status)
			b.set("n", func(s *Situation) { s.Sighting, s.Membership, s.Joined = held, "now", joined })
			for range 2 {
				queued := len(b.plan().Queue) > 1 // besides m
				task, _ := b.begin("n")
				if queued != test.removed || (task.Action() == Remove) != test.removed {
					t.Fatalf("queued %t, %d", queued, task.Action())
				}
			}
			if found := b.Found(); (len(found) == 1) == test.removed {
				t.Errorf("found in %v", found)
			}
		})
	}
}

func TestWhatWasFoundIsKeptForAWhile(t *testing.T) {
	b := newBook(federate.Status{})
	b.settings.LeftoverRetention = time.Hour
	found := b.now
	b.set("n", func(s *Situation) { s.Sighting, s.Membership = held, "now" })
	if work := b.plan(); !work.Again.Equal(found.Add(time.Hour)) {
		t.Errorf("decided again at %s", work.Again)
	}
	o := b.outcome("n")
	if o.Status != federate.NotSelected || o.Version != ".0000000000000000.now.3e8" || !FoundAt(o.Version).Equal(found) {
		t.Errorf("says %+v", o)
	}

	// Another process goes on with the time.
	b.now = b.now.Add(time.Hour - time.Second)
	b.Ledger = New("u", federate.Status{Clusters: []federate.ClusterStatus{{Name: "n", Status: o.Status, Message: o.Message, Version: o.Version}}}, b.settings)
	b.plan()
	if again := b.outcome("n"); again != o {
		t.Errorf("says %+v, not %+v any more", again, o)
	}
	b.now = b.now.Add(time.Second)
	b.plan()
	if task, _ := b.begin("n"); task.Action() != Remove {
		t.Errorf("its time is over: %+v", task)
	}
}

// A CRD of KubeFed's keeps the word alone.
func TestWhatWasFoundStaysSoWithoutItsRecord(t *testing.T) {
	for _, written := range []string{"", "2026-01-02T00:00:00Z"} {
		b := newBook(federate.Status{
			Clusters:   []federate.ClusterStatus{{Name: "n", Status: federate.NotSelected}},
			Conditions: []federate.Condition{{Type: federate.ConditionPropagation, LastUpdateTime: written}},
		})
		b.now = time.Date(2026, 1, 2, 1, 0, 0, 0, time.UTC)
		b.settings.LeftoverRetention = 2 * time.Hour
		b.set("n", func(s *Situation) { s.Sighting, s.Membership, s.Joined = held, "now", b.now.Add(-24*time.Hour) })
		want := b.now.Add(2 * time.Hour)
		if written != "" {
			want = want.Add(-time.Hour)
		}
		if work := b.plan(); len(work.Queue) != 1 || !work.Again.Equal(want) {
			t.Errorf("%q: %+v", written, work)
		}
	}
}

func TestWhatWasFoundIsPruned(t *testing.T) {
	b := newBook(federate.Status{})
	b.set("n", func(s *Situation) { s.Sighting, s.Prune = held, b.now.Add(-time.Second) })
	if work := b.plan(); len(work.Queue) != 1 || !work.Again.IsZero() {
		t.Errorf("what was found since is to stay: %+v", work)
	}
	b.set("n", func(s *Situation) { s.Prune = b.now })
	b.plan()
	if task, _ := b.begin("n"); task.Action() != Remove {
		t.Errorf("%+v", task)
	}
}

func TestWhatWasFoundIsTakenUp(t *testing.T) {
	b := newBook(federate.Status{Clusters: []federate.ClusterStatus{{Name: "n", Version: "h1.0000000000000007.then"}}})
	b.set("n", func(s *Situation) { s.Sighting, s.Membership = held, "now" })
	b.plan()
	b.set("n", func(s *Situation) { s.Selected = true })
	b.wanted.Revision = "2"
	if work := b.plan(); len(work.Queue) != 1 { // m alone: it holds what is wanted
		t.Errorf("queued %v", work.Queue)
	}
	if o := b.outcome("n"); o.Status != federate.ClusterPropagationOK || o.Version != "h1.0000000000000007.now" {
		t.Errorf("says %+v", o)
	}
	b.set("n", func(s *Situation) { s.Selected = false })
	b.plan()
	if task, _ := b.begin("n"); task.Action() != Remove {
		t.Errorf("selected, and not any more: %+v", task)
	}
}

// What becomes of it in the cluster meanwhile.
func TestWhatWasFoundAndGoes(t *testing.T) {
	for name, change := range map[string]func(s *Situation){
		"gone":          func(s *Situation) { s.Sighting = absent },
		"not ours":      func(s *Situation) { s.Managed = false },
		"being deleted": func(s *Situation) { s.Deleting = true },
	} {
		b := newBook(federate.Status{})
		b.set("n", func(s *Situation) { s.Sighting = held })
		b.plan()
		b.set("n", change)
		if task, next := b.begin("n"); task.Action() != Nothing || !next.Decide {
			t.Errorf("%s: %+v, %+v", name, task, next)
		}
		b.plan()
		if o := b.outcome("n"); o.Status != "none" {
			t.Errorf("%s: says %+v", name, o)
		}
	}
	b := newBook(federate.Status{})
	b.set("n", func(s *Situation) { s.Sighting = held })
	b.plan()
	b.set("n", func(s *Situation) { s.Cluster, s.Sighting = unready, unlisted })
	b.plan()
	if o := b.outcome("n"); o.Status != federate.NotSelected {
		t.Errorf("not ready: says %+v", o)
	}
	b.set("n", func(s *Situation) { s.Cluster, s.Sighting = ready, held })
	if queued, waiting := b.deletion(); len(queued) != 1 || waiting != 1 {
		t.Errorf("its federated object is deleted: queued %v", queued)
	}
}
