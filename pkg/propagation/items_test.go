package propagation

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/propagation/member"
	"github.com/fedctl/fedctl/pkg/settings"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// These tests look at what the parts of an engine tell one another: which items are
// queued, and what a ledger is asked. What is decided is tested in pkg/propagation/ledger.
// No request is made.

// testFleet is an inventory that is set by the test.
type testFleet struct {
	clusters []membership.Info
	unlisted bool
	asked    func() // called when it is asked whether the clusters are listed
}

func (j *testFleet) Clusters() []membership.Info { return j.clusters }
func (j *testFleet) Subscribe(func(string))      {}
func (j *testFleet) SubscribeFacts(func(string)) {}
func (j *testFleet) Facts(string) (membership.Facts, bool) {
	return membership.Facts{}, false
}
func (j *testFleet) Synced() bool {
	if j.asked != nil {
		j.asked()
	}
	return !j.unlisted
}

func (j *testFleet) Info(name string) (membership.Info, bool) {
	for _, info := range j.clusters {
		if info.Name == name {
			return info, true
		}
	}
	return membership.Info{}, false
}

// bench is an engine with one type, one object and the members "m" and "n".
type bench struct {
	*Engine

	t         *testing.T
	kind      *runningType
	inventory *testFleet
	stores    map[string]*memberStore
	watch     *fleet.Watch[federated]
	key       types.NamespacedName
}

func newBench(t *testing.T, kind string) *bench {
	b := &bench{t: t, stores: map[string]*memberStore{}, key: types.NamespacedName{Name: "b"}}
	b.inventory = &testFleet{clusters: []membership.Info{{Name: "m", Ready: true, Probed: true}, {Name: "n", Ready: true, Probed: true}}}
	opts := Options{
		Propagation:      settings.Defaults[settings.Propagation](),
		KubeFedNamespace: "kube-federation-system", RequestTimeout: settings.Defaults[settings.Members]().RequestTimeout,
	}
	b.Engine = newEngine(opts, logr.Discard(), b.inventory, nil, nil)
	members := fleet.NewMembers(func(ctx context.Context, cluster string, _ *memberClient, _ typeconfig.Type, _ *memberStore) *memberWatch {
		b.stores[cluster] = newMemberStore(typeconfig.Type{}, newKindTable(), nil, nil, nil)
		watch := fleet.NewWatch(ctx, b.stores[cluster])
		tellEmpty(t, watch)
		return watch
	})
	b.members, b.triggers.members, b.memberWorker.lookout.members = members, members, members
	definition := typeconfig.Type{
		Name: kind, IsNamespace: kind == "Namespace",
		Target: typeconfig.Resource{GVK: schema.GroupVersionKind{Version: "v1", Kind: kind}},
	}
	b.kind = &runningType{Type: definition, accounts: map[types.NamespacedName]*account{}, federated: newFederatedStore(nil, nil)}
	b.watch = fleet.NewWatch(t.Context(), b.kind.federated.Table)
	tellEmpty(t, b.watch)
	b.types.add(b.kind)
	members.AddType(definition)
	for _, c := range b.inventory.clusters {
		members.Engage(t.Context(), c.Name, &memberClient{})
	}
	return b
}

// tellEmpty tells of a watch that there are no objects.
func tellEmpty(t *testing.T, store cache.ReflectorStore) {
	t.Helper()
	if err := store.Replace(nil, ""); err != nil {
		t.Fatal(err)
	}
}

// holds makes a member hold an object of ours.
func (b *bench) holds(cluster string, key types.NamespacedName) {
	l := &live{Live: member.Live{UID: "U", Managed: true, Owned: 1}}
	b.stores[cluster].Swap(key, b.stores[cluster].Get(key), l)
}

// put makes the federated object, in cluster m, what change makes of it.
func (b *bench) put(change func(u *unstructured.Unstructured)) *federated {
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
	if err := b.watch.Update(u); err != nil {
		b.t.Fatal(err)
	}
	return b.kind.federated.Get(b.key)
}

func (b *bench) hostItem() Item { return hostItem(b.kind, b.key) }

func (b *bench) memberItem(cluster string) Item { return memberItem(b.kind, b.key, cluster) }

// workOff works on all that is queued.
func (b *bench) workOff() {
	b.t.Helper()
	for b.work.fair.Len() > 0 {
		item, _ := b.work.fair.Get()
		if _, err := b.Reconcile(b.t.Context(), item); err != nil {
			b.t.Fatal(err)
		}
		b.work.fair.Done(item)
	}
}

// queued returns the only item that is queued.
func (b *bench) queued() Item {
	b.t.Helper()
	if n := b.work.fair.Len(); n != 1 {
		b.t.Fatalf("%d items are queued", n)
	}
	return b.queuedNext()
}

func (b *bench) queuedNext() Item {
	item, _ := b.work.fair.Get()
	b.work.fair.Done(item)
	return item
}

func TestMisnamedFederatedNamespaceTouchesNothing(t *testing.T) {
	b := newBench(t, "Namespace")
	b.holds("m", types.NamespacedName{Name: "b"})
	b.key.Namespace = "a" // FederatedNamespace a/b: the namespace b is somebody else's
	if b.kind.standsForTarget(b.key) {
		t.Fatal("a/b stands for a namespace")
	}
	for _, item := range []Item{b.memberItem("m"), b.hostItem()} {
		if _, err := b.Reconcile(t.Context(), item); err != nil || b.work.fair.Len() != 0 {
			t.Errorf("%s did something: %v", item, err)
		}
	}
}

// What bears our label without a federated object is found when the member is
// listed. What it then takes to release it may be known only later.
func TestOrphanThatIsListedEarlyIsReleased(t *testing.T) {
	federatedNamespaces := typeconfig.Resource{GVK: schema.GroupVersionKind{Kind: "FederatedNamespace"}, Namespaced: true}
	ready := func(b *bench, ready bool) {
		b.inventory.clusters[0].Ready, b.inventory.clusters[0].Probed = ready, ready
		b.triggers.clusterChanged("m")
	}
	for name, test := range map[string]struct{ before, then func(b *bench) }{
		"the cluster was not ready yet": {
			before: func(b *bench) { ready(b, false) },
			then:   func(b *bench) { ready(b, true) },
		},
		"the clusters were not known": {
			before: func(b *bench) { b.inventory.unlisted = true },
			then: func(b *bench) {
				b.inventory.unlisted = false
				b.triggers.clusterChanged("")
			},
		},
		"the FederatedNamespaces were not known": {
			before: func(b *bench) {
				b.kind.Target.Namespaced, b.kind.FederatedNamespace = true, federatedNamespaces
				b.namespaces.resource, b.namespaces.store = federatedNamespaces, newFederatedStore(nil, b.namespaces.onSynced)
				b.namespaces.watch = fleet.NewWatch(b.t.Context(), b.namespaces.store.Table)
			},
			then: func(b *bench) { tellEmpty(b.t, b.namespaces.watch) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "ConfigMap")
			b.holds("m", b.key)
			test.before(b)
			b.triggers.memberListed("m", "ConfigMap")
			b.workOff()
			test.then(b)
			if item := b.queued(); item != b.memberItem("m") {
				t.Errorf("queued %v: the object keeps the label for ever", item)
			}
		})
	}
}

func TestObjectThatIsListedMeanwhileKeepsTheLabel(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.holds("m", b.key)
	b.inventory.asked = func() { b.put(nil) }
	if _, err := b.Reconcile(t.Context(), b.memberItem("m")); err != nil { // without a client, taking the label off would panic
		t.Fatal(err)
	}
	if item := b.queued(); item != b.hostItem() {
		t.Errorf("queued %v, want the host's item", item)
	}
}

// What the namespace allows is part of what an object is to be: where it allows a
// cluster again, what was to be removed there stays.
func TestRemovalIsRevokedByTheFederatedNamespace(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.key.Namespace = "ns"
	b.kind.Target.Namespaced, b.kind.FederatedNamespace = true, typeconfig.Resource{GVK: schema.GroupVersionKind{Kind: "FederatedNamespace"}, Namespaced: true}
	changes := 0
	b.namespaces.onChange = func(string) { changes++ }
	b.namespaces.resource, b.namespaces.store = b.kind.FederatedNamespace, newFederatedStore(b.namespaces.changed, nil)
	watch := fleet.NewWatch(t.Context(), b.namespaces.store.Table)
	tellEmpty(t, watch)
	allow := func(generation int64, label string, clusters ...any) {
		u := &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"uid": "ns", "name": "ns", "namespace": "ns", "generation": generation},
			"spec": map[string]any{
				"template":  map[string]any{"metadata": map[string]any{"labels": map[string]any{"a": label}}},
				"placement": map[string]any{"clusters": clusters},
			},
		}}
		if err := watch.Update(u); err != nil {
			t.Fatal(err)
		}
	}
	b.holds("m", b.key)
	fed := b.put(func(u *unstructured.Unstructured) {
		u.Object["status"] = map[string]any{"clusters": []any{map[string]any{"name": "m"}}}
	})
	allow(1, "x")
	place := b.hostWorker.placer
	intent := place.intent(b.kind, fed)
	acc := b.kind.accountOf(b.key, fed, b.hostWorker.settings)
	where := place.place(b.kind, fed, intent)
	acc.ledger.Plan(ledger.Decision{
		Revision: intent.Revision(), Clusters: b.hostWorker.lookout.situations(b.kind, b.key, where.Clusters), Render: acc.renderings(b.kind, intent),
	}, time.Now())
	begin := func() ledger.Action {
		a := &attempt{item: b.memberItem("m"), t: b.kind, acc: acc}
		b.memberWorker.begin(a, b.inventory.clusters[0])
		return a.task.Action()
	}
	if got := begin(); got != ledger.Remove {
		t.Fatalf("does %d", got)
	}
	if allow(2, "y"); changes != 1 || begin() != ledger.Remove {
		t.Errorf("%d changes: a template of a FederatedNamespace means nothing to what is in the namespace", changes)
	}
	if allow(3, "y", map[string]any{"name": "m"}); changes != 2 || begin() != ledger.Nothing {
		t.Errorf("%d changes: it would be deleted all the same", changes)
	}
	if item := b.queued(); item != b.hostItem() {
		t.Errorf("queued %v", item)
	}
}

// Without this an object that has failed for long is tried again only after --retry-max.
func TestWhatHasFailedIsTriedAtOnceWithNewRights(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.triggers.clusterChanged("m")
	b.holds("m", b.key)
	fed := b.put(func(u *unstructured.Unstructured) {
		u.Object["spec"].(map[string]any)["placement"] = map[string]any{"clusters": []any{}} //nolint:forcetypeassert // put has made it
		u.Object["status"] = map[string]any{"clusters": []any{map[string]any{"name": "m"}}}
	})
	acc, intent := b.kind.accountOf(b.key, fed, b.hostWorker.settings), b.hostWorker.placer.intent(b.kind, fed)
	acc.ledger.Plan(ledger.Decision{
		Revision: intent.Revision(), Clusters: b.hostWorker.lookout.situations(b.kind, b.key, nil), Render: acc.renderings(b.kind, intent),
	}, time.Now())
	try := func() {
		a := &attempt{item: b.memberItem("m"), t: b.kind, acc: acc}
		b.memberWorker.begin(a, b.inventory.clusters[0])
		if a.task.Action() != ledger.Remove {
			t.Fatalf("does %d", a.task.Action())
		}
		if result, err := b.memberWorker.fail(a, ledger.Refused, errors.New("forbidden")); err != nil || result.RequeueAfter == 0 {
			t.Fatal(result, err)
		}
	}
	renew := func(cluster int, value string) {
		for b.work.fair.Len() > 0 {
			b.queuedNext()
		}
		b.inventory.clusters[cluster].RightsRenewed = value
		b.triggers.clusterChanged(b.inventory.clusters[cluster].Name)
	}
	renew(0, "1")
	if n := b.work.fair.Len(); n != 0 {
		t.Errorf("%d items are queued of what has not failed", n)
	}
	for range 10 {
		try()
	}
	b.triggers.clusterChanged("n")
	if renew(1, "1"); b.work.fair.Len() != 0 {
		t.Error("another cluster has given rights")
	}
	renew(0, "2")
	if item := b.queued(); item != b.memberItem("m") || b.work.backoff.NumRequeues(item) != 0 {
		t.Errorf("queued %v, after %d tries", item, b.work.backoff.NumRequeues(item))
	}
}

func TestSituationsAreOfAllClusters(t *testing.T) {
	b := newBench(t, "ConfigMap")
	b.inventory.clusters = []membership.Info{{Name: "k"}, {Name: "m", Ready: true, Probed: true, Host: true}, {Name: "n", Probed: true, Reason: "ClusterNotReachable"}}
	b.holds("m", b.key)
	got := b.hostWorker.lookout.situations(b.kind, b.key, []string{"m"})
	if len(got) != 3 || got[0].Selected || !got[1].Selected || got[2].Selected {
		t.Fatalf("%+v", got)
	}
	if s := got[1]; !s.Ready || !s.Listed || !s.Shown || !s.Managed || s.Keeps {
		t.Errorf("m: %+v", s)
	}
	if s := got[2]; s.Ready || s.Reason != "ClusterNotReachable" || !s.Listed || s.Shown {
		t.Errorf("n: %+v", s)
	}
	if s := got[0]; s.Listed {
		t.Errorf("k is not engaged: %+v", s)
	}
	b.kind.IsNamespace = true
	if s := b.hostWorker.lookout.situations(b.kind, b.key, nil)[1]; !s.Keeps {
		t.Error("a namespace of the host would be deleted")
	}
}
