package propagation

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/propagation/member"
	"github.com/fedctl/fedctl/pkg/settings"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// These tests drive the engine's record of an object through sequences of events
// that are hard to bring about on clusters: what was written may have arrived, a
// retry comes at the wrong moment. No request is made.

// joined is an inventory that is set by the test.
type joined []membership.Info

func (j *joined) Clusters() []membership.Info { return *j }
func (j *joined) Synced() bool                { return true }
func (j *joined) Info(name string) (membership.Info, bool) {
	for _, info := range *j {
		if info.Name == name {
			return info, true
		}
	}
	return membership.Info{}, false
}
func (j *joined) Subscribe(func(string)) {}

// bench is an engine with one type, one object and the members "m" and "n".
type bench struct {
	*Engine
	t        *testing.T
	kind     *runningType
	clusters *joined
	stores   map[string]*memberStore
	host     *fleet.Watch[hostObject]
	key      types.NamespacedName
	elapsed  time.Duration
}

func newBench(t *testing.T, kind string) *bench {
	clusters := &joined{{Name: "m", Ready: true, Probed: true}, {Name: "n", Ready: true, Probed: true}}
	opts := Options{
		Propagation:      settings.Defaults[settings.Propagation](),
		KubeFedNamespace: "kube-federation-system", RequestTimeout: settings.Defaults[settings.Members]().RequestTimeout,
	}
	limiter := func() workqueue.TypedRateLimiter[Item] {
		return workqueue.NewTypedItemExponentialFailureRateLimiter[Item](retryInitial, opts.RetryMax)
	}
	b := &bench{t: t, clusters: clusters, stores: map[string]*memberStore{}, key: types.NamespacedName{Name: "b"}}
	b.Engine = &Engine{
		opts: opts, log: logr.Discard(), inventory: clusters, fair: newFairQueue(16, 16), backoff: limiter(),
		types: map[string]*runningType{},
		now:   func() time.Time { return time.Now().Add(b.elapsed) },
	}
	b.queue = workqueue.NewTypedRateLimitingQueueWithConfig(limiter(), workqueue.TypedRateLimitingQueueConfig[Item]{
		DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[Item]{Queue: b.fair}),
	})
	b.watches = fleet.NewMembers(func(ctx context.Context, cluster string, _ *memberClient, _ typeconfig.Type, _ *memberStore) *memberWatch {
		b.stores[cluster] = newMemberStore(false, nil, nil)
		watch := fleet.NewWatch(ctx, b.stores[cluster])
		list(t, watch)
		return watch
	})
	definition := typeconfig.Type{
		Name: kind, IsNamespace: kind == "Namespace",
		Target: typeconfig.Resource{GVK: schema.GroupVersionKind{Version: "v1", Kind: kind}},
	}
	b.kind = &runningType{Type: definition, objects: map[types.NamespacedName]*object{}}
	b.kind.host = newHostStore(nil, nil)
	b.host = fleet.NewWatch(t.Context(), b.kind.host.Table)
	list(t, b.host)
	b.types[kind] = b.kind
	b.watches.AddType(definition)
	for _, c := range *clusters {
		b.watches.Engage(t.Context(), c.Name, &memberClient{timeout: time.Second})
	}
	return b
}

// list tells of a watch that there are no objects.
func list(t *testing.T, store cache.ReflectorStore) {
	t.Helper()
	if err := store.Replace(nil, ""); err != nil {
		t.Fatal(err)
	}
}

// holds makes a member hold the object as l.
func (b *bench) holds(cluster string, key types.NamespacedName, l *live) {
	b.stores[cluster].Swap(key, b.stores[cluster].Get(key), l)
}

// put makes the host's object what change makes of the last one: generation 1 in cluster m.
func (b *bench) put(change func(u *unstructured.Unstructured)) *hostObject {
	b.t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"uid": "u", "generation": int64(1), "finalizers": []any{federate.Finalizer}, "resourceVersion": "1"},
		"spec":     map[string]any{"template": map[string]any{}, "placement": map[string]any{"clusters": []any{map[string]any{"name": "m"}}}},
	}}
	u.SetNamespace(b.key.Namespace)
	u.SetName(b.key.Name)
	if change != nil {
		change(u)
	}
	if err := b.host.Update(u); err != nil {
		b.t.Fatal(err)
	}
	return b.kind.host.Get(b.key)
}

func deleting(u *unstructured.Unstructured) {
	u.Object["metadata"].(map[string]any)["deletionTimestamp"] = "2024-01-01T00:00:00Z"
}

func (b *bench) item() Item { return Item{Type: b.kind.Name, Object: b.key} }

func (b *bench) memberItem(cluster string) Item {
	return b.item().WithCluster(multicluster.ClusterName(cluster))
}

// planned decides anew and returns the clusters that need work.
func (b *bench) planned(host *hostObject) []string {
	b.t.Helper()
	decision, reason, message := b.place(b.kind, host)
	if reason != federate.AggregateSuccess {
		b.t.Fatal(reason, message)
	}
	return b.plan(b.kind, b.item(), host, b.kind.objectFor(b.key, host), decision)
}

// deletion decides about the deletion: the clusters that need work, and how many are waited for.
func (b *bench) deletion(host *hostObject) ([]string, int) {
	return b.planDeletion(b.kind, b.item(), host, b.kind.objectFor(b.key, host))
}

// record is what the engine knows of the object in a cluster.
func (b *bench) record(cluster string) *place { return b.kind.object(b.key).places[cluster] }

// attempt prepares the item of a member as carryOut does.
func (b *bench) attempt(cluster string) *attempt {
	client, watch := b.watches.Get(cluster, b.kind.Name)
	a := &attempt{item: b.memberItem(cluster), t: b.kind, host: b.kind.host.Get(b.key), client: client, watch: watch, key: b.kind.targetKey(b.key), o: b.kind.object(b.key)}
	a.want = b.prepare(a)
	return a
}

func TestMisnamedFederatedNamespaceTouchesNothing(t *testing.T) {
	b := newBench(t, "Namespace")
	b.holds("m", types.NamespacedName{Name: "b"}, &live{Live: member.Live{UID: "of-b", Managed: true, Owned: 1}})
	b.key.Namespace = "a" // FederatedNamespace a/b: the namespace b is somebody else's
	if b.kind.standsForTarget(b.key) {
		t.Fatal("a/b stands for a namespace")
	}
	if _, err := b.carryOut(context.Background(), b.kind, b.memberItem("m")); err != nil || b.fair.Len() != 0 {
		t.Errorf("an item of a/b did something: %v", err)
	}
	if _, err := b.decide(context.Background(), b.kind, b.item()); err != nil || b.fair.Len() != 0 {
		t.Errorf("a/b is gone, and something is queued for it: %v", err)
	}
}

func TestDeletionWaitsForWhatMayHaveArrived(t *testing.T) {
	listed := func(u *unstructured.Unstructured) {
		deleting(u)
		u.Object["status"] = map[string]any{"clusters": []any{map[string]any{"name": "m"}}} // as KubeFed wrote it
	}
	for _, test := range []struct {
		name          string
		change        func(*unstructured.Unstructured)
		ready, probed bool
		inFlight      bool
		waiting       int
	}{
		// Selected, and there is no record of what an earlier process did.
		{"no status, unready", deleting, false, true, false, 1},
		{"an apply is in flight", deleting, true, true, true, 1},
		{"listed in the status, not probed yet", listed, false, false, false, 1},
		{"listed in the status, unready", listed, false, true, false, 1},
		{"no status, not probed yet", deleting, false, false, false, 1},
		{"never applied, ready and listed", deleting, true, true, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, "ConfigMap")
			if test.inFlight {
				b.planned(b.put(nil))
				a := b.attempt("m")
				b.announce(a, nil)
			}
			(*b.clusters)[0].Ready, (*b.clusters)[0].Probed = test.ready, test.probed
			if _, waiting := b.deletion(b.put(test.change)); waiting != test.waiting {
				t.Errorf("waits for %d clusters, want %d", waiting, test.waiting)
			}
		})
	}
}

// unlisted is an inventory whose clusters have not been listed.
type unlisted struct{ *joined }

func (unlisted) Synced() bool { return false }

// What bears our label without a federated object is found when the member is
// listed. What it then takes to release it may be known only later.
func TestOrphanThatIsListedEarlyIsReleased(t *testing.T) {
	federatedNamespaces := typeconfig.Resource{GVK: schema.GroupVersionKind{Kind: "FederatedNamespace"}, Namespaced: true}
	for name, test := range map[string]struct{ before, then func(b *bench) }{
		"the cluster was not ready yet": {
			before: func(b *bench) {
				(*b.clusters)[0].Ready, (*b.clusters)[0].Probed = false, false
				b.clusterChanged("m")
			},
			then: func(b *bench) {
				(*b.clusters)[0].Ready, (*b.clusters)[0].Probed = true, true
				b.clusterChanged("m")
			},
		},
		"the clusters were not known": {
			before: func(b *bench) { b.inventory = unlisted{b.clusters} },
			then: func(b *bench) {
				b.inventory = b.clusters
				b.clusterChanged("")
			},
		},
		"the FederatedNamespaces were not known": {
			before: func(b *bench) {
				b.kind.Target.Namespaced, b.kind.FederatedNamespace = true, federatedNamespaces
				b.namespaces.resource, b.namespaces.store = federatedNamespaces, newHostStore(nil, b.reconsiderAll)
				b.namespaces.watch = fleet.NewWatch(b.t.Context(), b.namespaces.store.Table)
			},
			then: func(b *bench) {
				list(b.t, b.namespaces.watch)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "ConfigMap")
			b.holds("m", b.key, &live{Live: member.Live{UID: "U", Managed: true, Owned: 1}})
			test.before(b)
			b.memberSynced("m", "ConfigMap")
			for b.fair.Len() > 0 {
				item, _ := b.fair.Get()
				if _, err := b.Reconcile(context.Background(), item); err != nil {
					t.Fatal(err)
				}
				b.fair.Done(item)
			}
			test.then(b)
			if b.fair.Len() != 1 {
				t.Fatalf("%d items are queued: the object keeps the label for ever", b.fair.Len())
			}
			if item, _ := b.fair.Get(); item != b.memberItem("m") {
				t.Errorf("queued %v", item)
			}
		})
	}
}

// syncing is an inventory that is asked when the host's objects have just been listed.
type syncing struct {
	*joined

	list func()
}

func (s syncing) Synced() bool {
	s.list()
	return true
}

func TestObjectThatIsListedMeanwhileKeepsTheLabel(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.holds("m", b.key, &live{Live: member.Live{UID: "U", Managed: true, Owned: 1}})
	b.inventory = syncing{b.clusters, func() { b.put(nil) }}
	if _, err := b.carryOut(t.Context(), b.kind, b.memberItem("m")); err != nil { // without a client, taking the label off would panic
		t.Fatal(err)
	}
	if item, _ := b.fair.Get(); item != b.item() {
		t.Errorf("queued %v, want the host's item", item)
	}
}

func TestRemovalThatIsRevokedIsNotCarriedOut(t *testing.T) {
	deleted := func(b *bench) { b.deletion(b.put(deleting)) }
	deselected := func(b *bench) {
		b.planned(b.put(func(u *unstructured.Unstructured) { u.Object["spec"].(map[string]any)["placement"] = map[string]any{} }))
	}
	for name, test := range map[string]struct {
		remove func(b *bench)
		revoke func(u *unstructured.Unstructured)
	}{
		"the object is to be orphaned": {deleted, func(u *unstructured.Unstructured) {
			deleting(u)
			u.SetAnnotations(map[string]string{"kubefed.io/orphan": "true"})
		}},
		"the finalizer is gone": {deleted, func(u *unstructured.Unstructured) {
			deleting(u)
			u.SetFinalizers([]string{"somebody/else"})
		}},
		"another object has taken its name": {deselected, func(u *unstructured.Unstructured) { u.SetUID("another") }},
		"the cluster is selected again":     {deselected, func(u *unstructured.Unstructured) { u.SetGeneration(2) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "ConfigMap")
			b.holds("m", b.key, &live{Live: member.Live{UID: "U", Managed: true, Owned: 5}})
			test.remove(b)
			if a := b.attempt("m"); a.want != wantAbsent {
				t.Fatalf("wants %v", a.want)
			}
			b.put(test.revoke)
			if a := b.attempt("m"); a.want == wantAbsent {
				t.Error("it would be deleted all the same")
			}
		})
	}
}

func TestRetryThatMeetsAChangeIsNotLost(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.planned(b.put(nil))
	if _, err := b.fail(b.attempt("m"), federate.CreationFailed, context.DeadlineExceeded); err != nil {
		t.Fatal(err)
	}
	changed := b.put(func(u *unstructured.Unstructured) { u.SetGeneration(2) }) // the same for m
	if _, err := b.carryOut(t.Context(), b.kind, b.memberItem("m")); err != nil {
		t.Fatal(err)
	}
	if queued := b.planned(changed); !slices.Contains(queued, "m") {
		t.Errorf("queued %v: m would never be tried again", queued)
	}
}

func TestDeletionWaitsForNothingThatIsKnownToBeAbsent(t *testing.T) {
	for name, test := range map[string]struct {
		before  func(b *bench) // when the object is planned
		then    func(b *bench)
		waiting int
	}{
		"a cluster that was never ready": {
			func(b *bench) { (*b.clusters)[0].Ready = false }, func(*bench) {}, 0},
		"one that has become unready since the object was removed": {
			func(*bench) {}, func(b *bench) {
				*b.record("m") = place{}
				(*b.clusters)[0].Ready = false
			}, 0},
		"one that is being listed": {
			func(b *bench) { b.stores["m"].Unsync() }, func(*bench) {}, 1},
		"one that has not been probed": {
			func(b *bench) { (*b.clusters)[0].Ready, (*b.clusters)[0].Probed = false, false }, func(*bench) {}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "ConfigMap")
			test.before(b)
			b.planned(b.put(nil))
			test.then(b)
			for range 2 {
				if _, waiting := b.deletion(b.put(deleting)); waiting != test.waiting {
					t.Errorf("waits for %d clusters, want %d", waiting, test.waiting)
				}
			}
		})
	}
}

func TestRetryThatComesWhileParkedIsNotLost(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.holds("m", b.key, &live{Live: member.Live{UID: "U", Managed: true, Owned: 5}})
	host := b.put(deleting)
	if queued, _ := b.deletion(host); !slices.Equal(queued, []string{"m"}) {
		t.Fatalf("queued %v", queued)
	}
	if _, err := b.fail(b.attempt("m"), federate.DeletionFailed, context.DeadlineExceeded); err != nil {
		t.Fatal(err)
	}
	(*b.clusters)[0].Ready = false
	b.deletion(host)
	if _, err := b.carryOut(context.Background(), b.kind, b.memberItem("m")); err != nil { // the scheduled retry
		t.Fatal(err)
	}
	(*b.clusters)[0].Ready = true
	if queued, waiting := b.deletion(host); !slices.Equal(queued, []string{"m"}) || waiting != 1 {
		t.Errorf("ready again: queued %v, waiting for %d: the deletion would never end", queued, waiting)
	}
}

func TestRevertAfterAnUnansweredWriteIsWritten(t *testing.T) {
	b := newBench(t, "ConfigMap")
	put := func(generation int64, value string) *hostObject {
		return b.put(func(u *unstructured.Unstructured) {
			u.SetGeneration(generation)
			u.Object["spec"].(map[string]any)["template"] = map[string]any{"data": map[string]any{"k": value}}
		})
	}
	b.planned(put(1, "one"))
	p := b.record("m")
	p.applied, p.owned = p.hash, 7
	b.holds("m", b.key, &live{Live: member.Live{UID: "U", Managed: true, Owned: 7, Version: 10}})

	b.planned(put(2, "two"))
	a := b.attempt("m")
	b.announce(a, b.stores["m"].Get(b.key))
	// It times out, but arrives: the same fields are ours, with other values.
	b.holds("m", b.key, &live{Live: member.Live{UID: "U", Managed: true, Owned: 7, Version: 11}})
	if _, err := b.fail(a, federate.UpdateTimedOut, context.DeadlineExceeded); err != nil {
		t.Fatal(err)
	}
	if queued := b.planned(put(3, "one")); !slices.Equal(queued, []string{"m"}) {
		t.Errorf("reverted: queued %v: the member would keep the value that was taken back", queued)
	}
}

func TestWhatNeedsNoWorkQueuesNone(t *testing.T) {
	for name, l := range map[string]live{
		"labelled false": {Live: member.Live{UID: "U"}},
		"being deleted":  {Live: member.Live{UID: "U", Managed: true, Deleting: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "ConfigMap")
			b.holds("m", b.key, &l)
			if queued := b.planned(b.put(nil)); len(queued) != 0 {
				t.Errorf("queued %v: the item would queue the host's, and that the item again", queued)
			}
			if p := b.record("m"); p.pending || p.status == "" {
				t.Errorf("pending %v, status %q", p.pending, p.status)
			}
		})
	}
}

func TestLateOutcomeReachesTheStatus(t *testing.T) {
	b := newBench(t, "ConfigMap")
	host := b.put(func(u *unstructured.Unstructured) {
		u.Object["spec"].(map[string]any)["placement"] = map[string]any{"clusterSelector": map[string]any{}}
	})
	if queued := b.planned(host); len(queued) != 2 {
		t.Fatalf("queued %v", queued)
	}
	b.elapsed = b.opts.SettleTimeout + time.Second
	if b.unsettled(b.kind.object(b.key)) != 0 {
		t.Fatal("the status still waits")
	}
	a := b.attempt("n")
	b.record("n").status = timedOut(b.record("n"), false) // what the status said when it was written without waiting
	if _, err := b.finish(a, federate.ClusterPropagationOK, ""); err != nil {
		t.Fatal(err)
	}
	got := make(chan Item, 1)
	go func() {
		i, _ := b.queue.Get()
		got <- i
	}()
	select {
	case i := <-got:
		if i != b.item() {
			t.Errorf("queued %v", i)
		}
	case <-time.After(5 * time.Second):
		t.Error("m is still pending, and nothing tells the status that n has settled")
	}
}
