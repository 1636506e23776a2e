package ledger

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

// book is a ledger of one object, with the clusters "m", which the placement selects,
// and "n", which it does not. Both are ready and listed, and hold nothing.
type book struct {
	*Ledger

	clusters map[string]Situation
	wanted   Wanted
	exact    bool
	hash     string // what is wanted in every cluster
	vanishes bool
	consumed federate.Consumption
	fault    error
	now      time.Time
	settings *Settings
}

func newBook(status federate.Status) *book {
	b := &book{
		settings: &Settings{SettleTimeout: 5 * time.Second, RequestTimeout: 15 * time.Second},
		wanted:   Wanted{UID: "u", Revision: "1", HasFinalizer: true},
		hash:     "h1", now: time.Unix(1000, 0), clusters: map[string]Situation{},
	}
	b.clusters["m"] = Situation{Cluster: ready, Sighting: absent, Selected: true}
	b.clusters["n"] = Situation{Cluster: ready, Sighting: absent}
	b.Ledger = New("u", status, b.settings)
	return b
}

var (
	ready    = Cluster{Ready: true, Probed: true}
	unready  = Cluster{Probed: true, Reason: "ClusterNotReachable"}
	unprobed = Cluster{Reason: "ClusterNotProbed"}

	unlisted = Sighting{}
	absent   = Sighting{Listed: true}
	held     = Sighting{Listed: true, Shown: true, UID: "U", Version: "10", Owned: 7, Managed: true}
)

// with returns a sighting that differs.
func (s Sighting) with(change func(s *Sighting)) Sighting {
	change(&s)
	return s
}

func (b *book) set(cluster string, change func(s *Situation)) {
	s := b.clusters[cluster]
	change(&s)
	b.clusters[cluster] = s
}

// clusterList are the clusters as a decision is given them.
func clusterList(clusters map[string]Situation) []Situation {
	var list []Situation
	for _, name := range slices.Sorted(maps.Keys(clusters)) {
		s := clusters[name]
		s.Name = name
		list = append(list, s)
	}
	return list
}

func (b *book) render(string) (Rendering, error) {
	return Rendering{Hash: b.hash, Vanishes: b.vanishes}, b.fault
}

func (b *book) plan() Work {
	return b.Plan(Decision{Revision: b.wanted.Revision, Exact: b.exact, Consumed: b.consumed, Clusters: clusterList(b.clusters), Render: b.render}, b.now)
}

func (b *book) deletion() ([]string, int) {
	b.wanted.Deleting = true
	return b.PlanDeletion(Deletion{At: b.now, Clusters: clusterList(b.clusters)}, b.now)
}

func (b *book) situation(cluster string) Situation {
	s := b.clusters[cluster]
	s.Name = cluster
	return s
}

func (b *book) begin(cluster string) (Task, Next) {
	wanted := b.wanted
	wanted.Membership = b.clusters[cluster].Membership
	return b.Begin(Try{Situation: b.situation(cluster), Wanted: wanted, Render: b.render}, b.now)
}

// apply brings the object into a cluster.
func (b *book) apply(t *testing.T, cluster string) {
	t.Helper()
	b.plan()
	task, _ := b.begin(cluster)
	if !b.Sending(task, false) {
		t.Fatalf("%+v is not to be sent", task)
	}
	b.Applied(task, Holding{UID: held.UID, Owned: held.Owned}, b.now)
	b.set(cluster, func(s *Situation) { s.Sighting = held })
}

func (b *book) outcome(cluster string) (o federate.Outcome) {
	for _, o = range b.Outcomes() {
		if o.Cluster == cluster {
			return o
		}
	}
	return federate.Outcome{Status: "none"}
}

func TestPlanOfWhatIsToBeThere(t *testing.T) {
	applied := func(t *testing.T, b *book) { b.apply(t, "m") }
	failed := func(_ *testing.T, b *book) {
		b.plan()
		task, _ := b.begin("m")
		b.Failed(task, Refused, "no", b.now)
	}
	for name, test := range map[string]struct {
		before   func(t *testing.T, b *book)
		cluster  Cluster
		sighting Sighting
		queued   bool
		pending  bool
		status   federate.PropagationStatus
	}{
		"nothing is there":                    {nil, ready, absent, true, true, ""},
		"not probed: the probe decides":       {nil, unprobed, absent, false, true, ""},
		"not ready: parked":                   {nil, unready, absent, false, false, federate.ClusterNotReady},
		"not listed: the list decides":        {nil, ready, unlisted, false, true, ""},
		"cannot be listed":                    {nil, ready, Sighting{Problem: "forbidden"}, false, false, federate.CachedRetrievalFailed},
		"does not serve the type":             {nil, ready, Sighting{Listed: true, Unserved: true, Problem: "unserved"}, false, false, federate.CachedRetrievalFailed},
		"no longer followed":                  {applied, ready, held.with(func(s *Sighting) { s.Problem = "no right" }), false, false, federate.CachedRetrievalFailed},
		"no longer served":                    {applied, ready, held.with(func(s *Sighting) { s.Unserved, s.Problem = true, "unserved" }), false, false, federate.CachedRetrievalFailed},
		"as it was applied":                   {applied, ready, held, false, false, ""},
		"another field has changed":           {applied, ready, held.with(func(s *Sighting) { s.Version = "11" }), false, false, ""},
		"a field of ours has changed":         {applied, ready, held.with(func(s *Sighting) { s.Owned = 8 }), true, true, ""},
		"none of its fields is ours":          {applied, ready, held.with(func(s *Sighting) { s.Owned = 0 }), true, true, ""},
		"there, but never applied":            {nil, ready, held, true, true, ""},
		"gone":                                {applied, ready, absent, true, true, ""},
		"kept out by its owner":               {nil, ready, held.with(func(s *Sighting) { s.Managed = false }), false, false, federate.ManagedLabelFalse},
		"being deleted":                       {nil, ready, held.with(func(s *Sighting) { s.Deleting = true }), false, false, federate.WaitingForRemoval},
		"failed: the next try is scheduled":   {failed, ready, absent, false, false, federate.CreationFailed},
		"failed, and not ready any more":      {failed, unready, absent, false, false, federate.ClusterNotReady},
		"failed, and has got there otherwise": {failed, ready, held.with(func(s *Sighting) { s.Managed = false }), false, false, federate.ManagedLabelFalse},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(federate.Status{})
			if test.before != nil {
				test.before(t, b)
			}
			b.set("m", func(s *Situation) { s.Cluster, s.Sighting = test.cluster, test.sighting })
			for range 2 { // deciding twice is deciding once
				queued := slices.Contains(b.plan().Queue, "m")
				e := b.entries["m"]
				if queued != test.queued || e.pending != test.pending || e.status != test.status {
					t.Fatalf("queued %t, pending %t, status %q; want %t, %t, %q", queued, e.pending, e.status, test.queued, test.pending, test.status)
				}
			}
		})
	}
}

func TestPlanOfWhatIsNotToBeThere(t *testing.T) {
	listed := federate.Status{Clusters: []federate.ClusterStatus{{Name: "n"}}}
	for name, test := range map[string]struct {
		status   federate.Status
		cluster  Cluster
		sighting Sighting
		queued   bool
		pending  bool
		says     federate.PropagationStatus // "none": the status does not name the cluster
	}{
		"never there":                            {federate.Status{}, ready, absent, false, false, "none"},
		"never there, not ready":                 {federate.Status{}, unready, absent, false, false, "none"},
		"never there, not listed":                {federate.Status{}, ready, unlisted, false, false, "none"},
		"there":                                  {listed, ready, held, true, true, federate.DeletionTimedOut},
		"not ours":                               {federate.Status{}, ready, held.with(func(s *Sighting) { s.Managed = false }), false, false, "none"},
		"may be there, cannot be listed":         {listed, ready, Sighting{Problem: "forbidden"}, false, false, federate.WaitingForRemoval},
		"there, no longer served":                {listed, ready, held.with(func(s *Sighting) { s.Unserved = true }), false, false, federate.WaitingForRemoval},
		"may be there, no longer served":         {listed, ready, Sighting{Listed: true, Unserved: true}, false, false, federate.WaitingForRemoval},
		"never there, not served":                {federate.Status{}, ready, Sighting{Listed: true, Unserved: true}, false, false, "none"},
		"may be there, no longer defined":        {listed, ready, Sighting{Listed: true, Unserved: true, Undefined: true}, false, false, "none"},
		"being deleted":                          {listed, ready, held.with(func(s *Sighting) { s.Deleting = true }), false, false, federate.WaitingForRemoval},
		"there, the list is not complete":        {listed, ready, held.with(func(s *Sighting) { s.Listed = false }), false, true, federate.DeletionTimedOut},
		"there, not ready":                       {listed, unready, held, false, false, federate.WaitingForRemoval},
		"may be there: it is asked":              {listed, ready, absent, true, true, federate.DeletionTimedOut},
		"may be there, not listed":               {listed, ready, unlisted, false, true, federate.DeletionTimedOut},
		"may be there, not probed":               {listed, unprobed, unlisted, false, true, federate.DeletionTimedOut},
		"may be there, not ready":                {listed, unready, unlisted, false, false, federate.WaitingForRemoval},
		"found":                                  {federate.Status{}, ready, held, false, false, federate.NotSelected},
		"found, being deleted":                   {federate.Status{}, ready, held.with(func(s *Sighting) { s.Deleting = true }), false, false, "none"},
		"... and waits for nothing when it ends": {listed, Cluster{Ready: true, Probed: true, Keeps: true}, held.with(func(s *Sighting) { s.Deleting = true }), false, false, "none"},
		"a namespace of the host is unlabelled":  {federate.Status{}, Cluster{Ready: true, Probed: true, Keeps: true}, held, true, true, federate.LabelRemovalTimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(test.status)
			b.set("n", func(s *Situation) { s.Cluster, s.Sighting = test.cluster, test.sighting })
			for range 2 {
				queued := slices.Contains(b.plan().Queue, "n")
				if e := b.entries["n"]; queued != test.queued || (e != nil && e.pending) != test.pending {
					t.Fatalf("queued %t, %+v; want %t, pending %t", queued, e, test.queued, test.pending)
				}
			}
			if got := b.outcome("n").Status; got != test.says {
				t.Errorf("says %q, want %q", got, test.says)
			}
		})
	}
}

func TestDeletionWaitsForWhatMayBeThere(t *testing.T) {
	listed := federate.Status{Clusters: []federate.ClusterStatus{{Name: "m"}}} // as KubeFed writes it
	for name, test := range map[string]struct {
		status   federate.Status
		before   func(b *book)
		cluster  Cluster
		sighting Sighting
		waiting  int
	}{
		// Selected, and there is no record of what an earlier process did.
		"no status, not ready":                       {federate.Status{}, nil, unready, absent, 1},
		"no status, not probed":                      {federate.Status{}, nil, unprobed, unlisted, 1},
		"no status, being listed":                    {federate.Status{}, nil, ready, unlisted, 1},
		"listed in the status, not probed":           {listed, nil, unprobed, unlisted, 1},
		"listed in the status, not ready":            {listed, nil, unready, absent, 1},
		"never applied, ready and listed":            {federate.Status{}, nil, ready, absent, 0},
		"planned when it was not ready, as it is":    {federate.Status{}, func(b *book) { b.set("m", func(s *Situation) { s.Cluster = unready }); b.plan() }, unready, absent, 0},
		"planned when it was not probed, as it is":   {federate.Status{}, func(b *book) { b.set("m", func(s *Situation) { s.Cluster = unprobed }); b.plan() }, unprobed, absent, 1},
		"planned when it was being listed, as it is": {federate.Status{}, func(b *book) { b.set("m", func(s *Situation) { s.Sighting = unlisted }); b.plan() }, ready, unlisted, 1},
		"removed, and not ready since": {listed, func(b *book) {
			b.deletion()
			task, _ := b.begin("m")
			b.Removed(task, b.now)
		}, unready, absent, 0},
		"an apply is under way": {federate.Status{}, func(b *book) {
			b.plan()
			task, _ := b.begin("m")
			b.Sending(task, false)
		}, ready, absent, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(test.status)
			if test.before != nil {
				test.before(b)
			}
			b.set("m", func(s *Situation) { s.Cluster, s.Sighting = test.cluster, test.sighting })
			for range 2 {
				if _, waiting := b.deletion(); waiting != test.waiting {
					t.Errorf("waits for %d clusters, want %d", waiting, test.waiting)
				}
			}
		})
	}
}

func TestDeletionGivesUpAfterALimit(t *testing.T) {
	b := newBook(federate.Status{})
	b.settings.UnreadyDeletionTimeout = time.Minute
	b.set("m", func(s *Situation) { s.Cluster = unready })
	d := Deletion{At: b.now, Clusters: clusterList(b.clusters)}
	for after, want := range map[time.Duration]int{time.Minute: 1, time.Minute + 1: 0} {
		if _, waiting := b.PlanDeletion(d, b.now.Add(after)); waiting != want {
			t.Errorf("after %s it waits for %d clusters, want %d", after, waiting, want)
		}
	}
	// It was listed before anything was noted of it, as after a restart.
	b.set("n", func(s *Situation) { s.Cluster, s.Sighting = unready, held })
	d.Clusters = clusterList(b.clusters)
	if _, waiting := b.PlanDeletion(d, b.now.Add(time.Hour)); waiting != 0 {
		t.Errorf("it waits for %d clusters", waiting)
	}
	b.set("m", func(s *Situation) { s.Cluster, s.Sighting = ready, held })
	d.Clusters = clusterList(b.clusters)
	if _, waiting := b.PlanDeletion(d, b.now.Add(time.Hour)); waiting != 1 {
		t.Error("a cluster that answers was given up")
	}
}

func TestWhatCannotBeRenderedLeavesTheClusterAlone(t *testing.T) {
	for name, test := range map[string]struct {
		fault   error
		status  federate.PropagationStatus
		message string
	}{
		"an override":    {&federate.RenderError{Status: federate.ApplyOverridesFailed, Cluster: "m", Field: "spec.overrides[0]", Message: "bad"}, federate.ApplyOverridesFailed, "spec.overrides[0]: bad"},
		"the object":     {&federate.ParseError{Status: federate.FieldRetentionFailed, Field: "spec.retainReplicas", Message: "bad"}, federate.FieldRetentionFailed, "spec.retainReplicas: bad"},
		"something else": {errors.New("bad"), federate.ComputeResourceFailed, "bad"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(federate.Status{})
			b.apply(t, "m")
			b.fault, b.wanted.Revision = test.fault, "2"
			if work := b.plan(); len(work.Queue) != 0 {
				t.Errorf("queued %v", work.Queue)
			}
			if o := b.outcome("m"); o.Status != test.status || o.Message != test.message {
				t.Errorf("says %q, %q", o.Status, o.Message)
			}
			if task, _ := b.begin("m"); task.Action() != Nothing {
				t.Errorf("does %+v", task)
			}
			b.fault = nil
			b.wanted.Revision = "3"
			if work := b.plan(); len(work.Queue) != 0 || b.outcome("m").Status != federate.ClusterPropagationOK {
				t.Errorf("mended: queued %v, though it holds what is wanted", work.Queue)
			}
		})
	}
}

func TestClusterThatHasLeftIsForgotten(t *testing.T) {
	b := newBook(federate.Status{})
	b.apply(t, "m")
	delete(b.clusters, "m")
	b.plan()
	if o := b.outcome("m"); o.Status != "none" || b.Waits(b.now) != 0 {
		t.Errorf("%+v", o)
	}
}

// What is wanted anew has failed nowhere yet.
func TestAnotherObjectIsTriedAtOnce(t *testing.T) {
	b := newBook(federate.Status{})
	b.plan()
	task, _ := b.begin("m")
	b.Failed(task, Refused, "no", b.now)
	b.wanted.Revision = "2"
	if work := b.plan(); len(work.Queue) != 0 || len(work.Renewed) != 0 {
		t.Errorf("the same again: %+v", work)
	}
	b.wanted.Revision, b.hash = "3", "h3"
	if work := b.plan(); !slices.Equal(work.Queue, []string{"m"}) || !slices.Equal(work.Renewed, []string{"m"}) {
		t.Errorf("another object: %+v", work)
	}
}

// A type that was enabled after the join: the cluster's objects cannot be listed, and
// nothing was ever sent there.
func TestDeletionDoesNotWaitForWhatWasNeverSent(t *testing.T) {
	unreadable := Sighting{Problem: "forbidden"}
	begin := func() *book {
		b := newBook(federate.Status{})
		b.Begun()
		b.set("m", func(s *Situation) { s.Sighting = unreadable })
		b.plan()
		return b
	}
	for name, test := range map[string]struct {
		before  func(b *book)
		waiting int
	}{
		"at once": {func(*book) {}, 0},
		"sent before the rights were taken away": {func(b *book) {
			b.set("m", func(s *Situation) { s.Sighting = absent })
			b.plan()
			task, _ := b.begin("m")
			b.Sending(task, false)
			b.set("m", func(s *Situation) { s.Sighting = unreadable })
		}, 1},
		"said by the status, in another process": {func(b *book) { b.Ledger = New("u", b.said(), b.settings) }, 0},
		"sent, and then another process": {func(b *book) {
			b.said()
			b.set("m", func(s *Situation) { s.Sighting = absent })
			if work := b.plan(); !work.Record || len(work.Queue) != 0 {
				t.Errorf("%+v: an apply would be sent while the status says that none was", work)
			}
			if task, next := b.begin("m"); task.Action() != Nothing || !next.Decide {
				t.Errorf("%+v", task)
			}
			b.said()
			b.plan()
			task, _ := b.begin("m")
			b.Sending(task, false)
			b.Ledger = New("u", b.said(), b.settings)
			b.set("m", func(s *Situation) { s.Sighting = unreadable })
		}, 1},
		"not in the status of another process": {func(b *book) { b.Ledger = New("u", federate.Status{}, b.settings) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := begin()
			test.before(b)
			if _, waiting := b.deletion(); waiting != test.waiting {
				t.Errorf("waits for %d clusters: %+v", waiting, b.Outcomes())
			}
		})
	}
}

// said is the status that is written now.
func (b *book) said() (status federate.Status) {
	for _, o := range b.Outcomes() {
		status.Clusters = append(status.Clusters, federate.ClusterStatus{Name: o.Cluster, Status: o.Status, Message: o.Message, Version: o.Version})
	}
	b.Reported(true)
	return status
}
