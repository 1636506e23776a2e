package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

// The watch may tell of the end of an earlier object while an apply is on its way.
func TestWatchDoesNotForgetWhatWasSent(t *testing.T) {
	for name, test := range map[string]struct {
		answer  func(b *book, task Task)
		waiting int
	}{
		"under way":                       {func(*book, Task) {}, 1},
		"lost":                            {func(b *book, task Task) { b.Failed(task, Late, "late", b.now) }, 1},
		"answered before the watch tells": {func(b *book, task Task) { b.Applied(task, Holding{Owned: 7}, b.now) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(federate.Status{})
			b.plan()
			task, _ := b.begin("m")
			b.Sending(task, false)
			b.deletion()
			test.answer(b, task)
			b.Seen("m", absent)
			queue, waiting := b.deletion()
			if waiting != test.waiting || len(queue) != test.waiting {
				t.Fatalf("queued %v, waits for %d clusters", queue, waiting)
			}
			if test.waiting == 0 {
				return
			}
			task, _ = b.begin("m")
			if task.Action() != Remove {
				t.Fatalf("does %+v: nobody asks whether it has arrived", task)
			}
			if next := b.Removed(task, b.now); !next.Decide {
				t.Error("nobody looks whether the deletion has ended")
			}
			if _, waiting := b.deletion(); waiting != 0 {
				t.Error("a read has found nothing, and the deletion still waits")
			}
		})
	}
}

func TestRetryThatMeetsAChangeIsNotLost(t *testing.T) {
	b := newBook(federate.Status{})
	b.plan()
	task, _ := b.begin("m")
	b.Failed(task, Late, "late", b.now)
	b.wanted.Revision = "2" // the same for m
	if task, next := b.begin("m"); task.Action() != Nothing || !next.Decide {
		t.Fatalf("%+v, %+v", task, next)
	}
	if queued := b.plan().Queue; !slices.Contains(queued, "m") {
		t.Errorf("queued %v: m would never be tried again", queued)
	}
}

func TestRetryThatComesWhileParkedIsNotLost(t *testing.T) {
	b := newBook(federate.Status{})
	b.set("m", func(s *Situation) { s.Sighting = held })
	if queued, _ := b.deletion(); !slices.Equal(queued, []string{"m"}) {
		t.Fatalf("queued %v", queued)
	}
	task, _ := b.begin("m")
	b.Failed(task, Late, "late", b.now)
	b.set("m", func(s *Situation) { s.Cluster = unready })
	b.deletion()
	b.begin("m") // the scheduled retry
	b.set("m", func(s *Situation) { s.Cluster = ready })
	if queued, waiting := b.deletion(); !slices.Equal(queued, []string{"m"}) || waiting != 1 {
		t.Errorf("ready again: queued %v, waiting for %d: the deletion would never end", queued, waiting)
	}
}

func TestRevertAfterAnUnansweredWriteIsWritten(t *testing.T) {
	b := newBook(federate.Status{})
	b.apply(t, "m")
	b.wanted.Revision, b.hash = "2", "h2"
	b.plan()
	task, _ := b.begin("m")
	b.Sending(task, false)
	// It times out, but arrives: the same fields are ours, with other values.
	b.set("m", func(s *Situation) { s.Version = "11" })
	b.Failed(task, Late, "late", b.now)
	b.wanted.Revision, b.hash = "3", "h1"
	if queued := b.plan().Queue; !slices.Equal(queued, []string{"m"}) {
		t.Errorf("reverted: queued %v: the member would keep the value that was taken back", queued)
	}
}

// What was decided anew while a request was on its way is not touched by its answer.
func TestAnswerToAnEarlierDecision(t *testing.T) {
	for name, answer := range map[string]func(b *book, task Task) Next{
		"applied":  func(b *book, task Task) Next { return b.Applied(task, Holding{Owned: 7}, b.now) },
		"failed":   func(b *book, task Task) Next { return b.Failed(task, Refused, "no", b.now) },
		"removing": func(b *book, task Task) Next { _, next := b.Removing(task, held, b.now); return next },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(federate.Status{})
			b.plan()
			task, _ := b.begin("m")
			b.Sending(task, false)
			b.wanted.Revision, b.hash = "2", "h2"
			b.plan()
			if next := answer(b, task); next.Decide || next.Report {
				t.Errorf("%+v", next)
			}
			if b.Sending(task, false) {
				t.Error("what is no longer wanted would be sent")
			}
			if e := b.entries["m"]; !e.pending || e.status != "" || e.retrying || e.applied != "" || !e.mayBeThere() {
				t.Errorf("%+v", *e)
			}
		})
	}
}

func TestWords(t *testing.T) {
	create := Task{goal: goalApplied, first: true}
	update := Task{goal: goalApplied}
	remove := Task{goal: goalAbsent}
	unlabel := Task{goal: goalAbsent, keeps: true}
	for _, test := range []struct {
		task    Task
		trouble Trouble
		want    federate.PropagationStatus
	}{
		{create, Refused, federate.CreationFailed}, {create, Late, federate.CreationTimedOut},
		{update, Refused, federate.UpdateFailed}, {update, Late, federate.UpdateTimedOut},
		{remove, Refused, federate.DeletionFailed}, {remove, Late, federate.DeletionTimedOut},
		{unlabel, Refused, federate.LabelRemovalFailed}, {unlabel, Late, federate.LabelRemovalTimedOut},
		{create, Unreadable, federate.RetrievalFailed}, {create, InTheWay, federate.AlreadyExists},
		{update, KeptOut, federate.ManagedLabelFalse}, {remove, BadOptions, federate.DeletionFailed},
	} {
		if got := test.task.word(test.trouble); got != test.want {
			t.Errorf("%+v %d: %s, want %s", test.task, test.trouble, got, test.want)
		}
	}
}

func TestRemovalIsSentOnce(t *testing.T) {
	b := newBook(federate.Status{Clusters: []federate.ClusterStatus{{Name: "n"}}})
	b.set("n", func(s *Situation) { s.Sighting = held })
	b.plan()
	task, _ := b.begin("n")
	send := func(there Sighting) Sent {
		sent, _ := b.SendingRemoval(task, b.wanted, there, b.now)
		return sent
	}
	if got := send(held.with(func(s *Sighting) { s.Deleting = true })); got != SentAlready {
		t.Errorf("on its way out: %d", got)
	}
	if got := send(held); got != SendNow {
		t.Fatalf("the first time: %d", got)
	}
	if wait, next := b.Removing(task, held, b.now); wait != 2500*time.Millisecond || next != (Next{}) {
		t.Errorf("waits %s, %+v", wait, next)
	}
	if got := send(held); got != SentAlready {
		t.Errorf("again: %d", got)
	}
	if got := send(held.with(func(s *Sighting) { s.UID = "V" })); got != SendNow {
		t.Errorf("another of the name: %d", got)
	}
	b.now = b.now.Add(b.settings.RequestTimeout)
	if wait, next := b.Removing(task, held, b.now); wait != b.settings.RequestTimeout || !next.Report { // m is still pending
		t.Errorf("the watch does not tell: waits %s, %+v", wait, next)
	}
	if o := b.outcome("n"); o.Status != federate.WaitingForRemoval {
		t.Errorf("%+v", o)
	}
	if got := send(held); got != SendNow {
		t.Errorf("after a while: %d", got)
	}
	b.Failed(task, Refused, "no", b.now)
	if got := send(held.with(func(s *Sighting) { s.UID = "V" })); got != SendNow {
		t.Errorf("after it has failed: %d", got)
	}
	if got := send(held.with(func(s *Sighting) { s.Managed = false })); got != SendNot {
		t.Errorf("its owner has taken it out: %d", got)
	}
}

// The watch shows what a task was to bring about, or what nobody has to do anything about.
func TestWhatIsExpected(t *testing.T) {
	b := newBook(federate.Status{})
	if b.Seen("m", held) {
		t.Error("nothing is known of the cluster")
	}
	b.plan()
	task, _ := b.begin("m")
	b.Sending(task, true)
	if b.Seen("m", held) {
		t.Error("while it is under way, the item has to look again")
	}
	b.Applied(task, Holding{Owned: 7, Retained: true}, b.now)
	if !b.Seen("m", held.with(func(s *Sighting) { s.Version = "11" })) {
		t.Error("the echo of our write")
	}
	if b.Seen("m", held.with(func(s *Sighting) { s.Owned = 8 })) || b.Seen("m", absent) {
		t.Error("somebody has changed it")
	}
	b.set("m", func(s *Situation) { s.Sighting = held.with(func(s *Sighting) { s.Owned = 8 }) })
	task, _ = b.begin("m")
	if !task.Retained() || task.First() {
		t.Errorf("%+v", task)
	}
	if b.Sending(task, false); b.entries["m"].retained {
		t.Error("the replicas are sent, and count as the cluster's")
	}
	b.CannotReplace(task)
	b.Failed(task, Refused, "invalid", b.now)
	if task, _ = b.begin("m"); !task.Irreplaceable() {
		t.Error("the same update would be tried again")
	}
}

func TestLateOutcomeReachesTheStatus(t *testing.T) {
	b := newBook(federate.Status{})
	b.set("n", func(s *Situation) { s.Selected = true })
	if queued := b.plan().Queue; len(queued) != 2 {
		t.Fatalf("queued %v", queued)
	}
	if got := b.Waits(b.now.Add(2 * time.Second)); got != 3*time.Second {
		t.Errorf("waits %s", got)
	}
	b.now = b.now.Add(6 * time.Second)
	if b.Waits(b.now) != 0 {
		t.Fatal("the status still waits")
	}
	if o := b.outcome("n"); o.Status != federate.CreationTimedOut {
		t.Errorf("%+v", o)
	}
	task, _ := b.begin("n")
	if next := b.Applied(task, Holding{Owned: 7}, b.now); !next.Report || next.Decide {
		t.Errorf("%+v: m is still pending, and nothing tells the status that n has settled", next)
	}
	task, _ = b.begin("m")
	if next := b.Applied(task, Holding{Owned: 7}, b.now); !next.Decide {
		t.Errorf("%+v: all have settled", next)
	}
}

func TestReport(t *testing.T) {
	b := newBook(federate.Status{
		Conditions: []federate.Condition{{Type: federate.ConditionAccepted, Reason: ReasonApplyRefused, Message: "refused before"}},
		Clusters:   []federate.ClusterStatus{{Name: "m", Version: "h1.0000000000000007"}, {Name: "n", Version: "of KubeFed"}},
	})
	b.set("m", func(s *Situation) { s.Sighting = held.with(func(s *Sighting) { s.Replaced = true }) })
	if queued := b.plan().Queue; !slices.Equal(queued, []string{"n"}) {
		t.Errorf("queued %v: what the status says is applied is applied", queued)
	}
	if !b.UpToDate("m", held) || b.UpToDate("n", held) || b.UpToDate("x", held) {
		t.Error("m alone is up to date")
	}
	look := func(name string) Sighting { return b.clusters[name].Sighting }
	if got := b.Refusals(look); !slices.Equal(got, []string{"refused before"}) {
		t.Errorf("refusals %v", got)
	}
	want := []federate.Outcome{
		{Cluster: "m", Version: "h1.0000000000000007"},
		{Cluster: "n", Status: federate.DeletionTimedOut, Message: "the cluster has not answered yet"},
	}
	if got := b.Outcomes(); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	task, _ := b.begin("n")
	b.Removed(task, b.now)
	if !b.entries["n"].updated {
		t.Error("that it was removed is news")
	}
	if b.Reported(true); b.entries["n"].updated {
		t.Error("it was told")
	}
	for version, applied := range map[string]string{"": "", "gen:3": "", "h.xyz": "", "h.00ff": "h"} {
		if got := parseVersion(version).applied; got != applied {
			t.Errorf("%q: %q", version, got)
		}
	}
}

func TestUnknownFieldsSurviveARestart(t *testing.T) {
	said := federate.DescribeUnknown(map[string][]string{"m": {"spec.a", "spec.b"}, "n": {"spec.a"}})
	b := newBook(federate.Status{
		Conditions: []federate.Condition{{Type: federate.ConditionAccepted, Reason: ReasonApplyRefused, Message: "refused; " + strings.Join(said, "; ")}},
		Clusters:   []federate.ClusterStatus{{Name: "m", Version: "h1.0000000000000007"}, {Name: "n", Version: "h1.0000000000000007"}},
	})
	b.set("m", func(s *Situation) { s.Sighting = held.with(func(s *Sighting) { s.Replaced = true }) })
	b.plan()
	if got := federate.DescribeUnknown(b.Unknown()); len(got) != 1 || got[0] == said[0] {
		t.Errorf("n is not to hold the object any more: %q", got)
	}
	if got := b.Refusals(func(name string) Sighting { return b.clusters[name].Sighting }); !slices.Equal(got, []string{"refused"}) {
		t.Errorf("refusals %q", got)
	}
}

// What the cluster does not serve has not arrived, whatever was sent before is still on
// its way, and what was written in another version is written anew when that is over.
func TestVersionsThatAreNotServed(t *testing.T) {
	b := newBook(federate.Status{})
	b.plan()
	task, _ := b.begin("m")
	b.Sending(task, false)
	b.Failed(task, Unserved, "not served", b.now)
	if e := b.entries["m"]; e.mayBeThere() || e.status != federate.CachedRetrievalFailed {
		t.Errorf("%+v", e)
	}
	task, _ = b.begin("m")
	b.Sending(task, false)
	b.Failed(task, Late, "no answer", b.now)
	task, _ = b.begin("m")
	b.Sending(task, false)
	if b.Failed(task, Unserved, "not served", b.now); !b.entries["m"].mayBeThere() {
		t.Error("what was lost before is forgotten")
	}
	task, _ = b.begin("m")
	b.Sending(task, false)
	b.Applied(task, Holding{Owned: held.Owned, ServedAs: "v1"}, b.now)
	b.set("m", func(s *Situation) { s.Sighting = held })
	if got := b.ServedAs(); len(got) != 1 || got["m"] != "v1" || !b.UpToDate("m", held) {
		t.Errorf("served as %v", got)
	}
	if !b.Returned("m") || b.Returned("n") || b.UpToDate("m", held) {
		t.Error("it is not written anew")
	}
}

// What was written without fields that a cluster did not know is written again when it may.
func TestFieldsThatMayBeKnown(t *testing.T) {
	b := newBook(federate.Status{})
	b.plan()
	task, _ := b.begin("m")
	b.Sending(task, false)
	b.Applied(task, Holding{Owned: held.Owned, Unknown: []string{"spec.a"}}, b.now)
	b.set("m", func(s *Situation) { s.Sighting = held })
	if !b.UpToDate("m", held) {
		t.Fatal("it is not up to date")
	}
	if !b.Relearned("m") || b.Relearned("n") || b.UpToDate("m", held) {
		t.Error("it is not written anew")
	}
}

// A pending cluster says what it waits for, not what it said before.
func TestWaitsSayWhatFor(t *testing.T) {
	for name, test := range map[string]struct {
		then func(b *book)
		want federate.PropagationStatus
		text string
	}{
		"an answer": {func(b *book) { b.plan() }, federate.UpdateTimedOut, forAnswer.message},
		"a list":    {func(b *book) { b.set("m", func(s *Situation) { s.Listed = false }); b.plan() }, federate.UpdateTimedOut, forList.message},
		"a namespace": {func(b *book) {
			b.plan()
			b.Begin(Try{Situation: b.situation("m"), Wanted: b.wanted, Render: b.render, Namespace: NamespaceMissing}, b.now)
		}, federate.UpdateTimedOut, forNamespace.message},
		"the right to write": {func(b *book) {
			b.plan()
			b.Begin(Try{Situation: b.situation("m"), Wanted: b.wanted, Render: b.render, Lacking: "no right"}, b.now)
		}, federate.WaitingForRights, "no right"},
		"the end of its namespace": {func(b *book) {
			b.plan()
			b.Begin(Try{Situation: b.situation("m"), Wanted: b.wanted, Render: b.render, Namespace: NamespaceLeaving}, b.now)
			b.plan()
		}, federate.WaitingForRemoval, namespaceLeaving},
		"its end, after an answer": {func(b *book) {
			b.set("m", func(s *Situation) { s.Selected, s.Sighting = false, held })
			b.plan()
			task, _ := b.begin("m")
			b.SendingRemoval(task, b.wanted, held, b.now)
			b.Removing(task, held, b.now)
		}, federate.WaitingForRemoval, beingDeleted},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(federate.Status{})
			b.apply(t, "m")
			b.set("m", func(s *Situation) { s.Cluster = unready })
			b.plan()
			b.set("m", func(s *Situation) { s.Cluster, s.Sighting = ready, absent })
			test.then(b)
			if o := b.outcome("m"); o.Status != test.want || o.Message != test.text {
				t.Errorf("%+v", o)
			}
		})
	}
}
