package propagation

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// watchSet keeps one thin watch for each (member cluster, federated type).
// Every watch runs in its own goroutine with its own back-off: a member that
// hangs or refuses delays no other, and nothing here ever waits for one.
type watchSet struct {
	log       logr.Logger
	namespace string // the only one that is watched; empty: all
	onChange  func(cluster, typeName string, key types.NamespacedName, before, after *live)
	onSynced  func(cluster, typeName string)

	mu       sync.Mutex
	clusters map[string]*engagedMember
	types    map[string]typeconfig.Type
}

// engagedMember is a member cluster's connection and the watches on it.
type engagedMember struct {
	ctx     context.Context //nolint:containedctx // the life of the connection: watches come and go within it
	client  *memberClient
	watches map[string]*memberWatch // by type name
}

var (
	_ cache.ReflectorStore         = &memberWatch{}
	_ cache.ReflectorBookmarkStore = &memberWatch{}
)

// memberWatch is one running watch.
type memberWatch struct {
	store  *memberStore
	cancel context.CancelFunc
	ended  func() bool
	// onListed is called when a list has arrived.
	onListed func()

	mu       sync.Mutex
	lastErr  error
	missing  bool   // the cluster does not serve the resource in any version
	watching bool   // the last watch was accepted
	told     string // what the log was last told to be wrong; empty: nothing
}

func newWatchSet(
	log logr.Logger,
	namespace string,
	onChange func(cluster, typeName string, key types.NamespacedName, before, after *live),
	onSynced func(cluster, typeName string),
) *watchSet {
	return &watchSet{
		log:       log,
		namespace: namespace,
		onChange:  onChange,
		onSynced:  onSynced,
		clusters:  map[string]*engagedMember{},
		types:     map[string]typeconfig.Type{},
	}
}

// AddCluster starts the watches of all types on a member; a cluster of the same
// name is replaced. They end when ctx does.
func (w *watchSet) AddCluster(ctx context.Context, cluster string, client *memberClient) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return // it has left, and must not displace the one after it
	}
	member := &engagedMember{ctx: ctx, client: client, watches: map[string]*memberWatch{}}
	old := w.clusters[cluster]
	w.clusters[cluster] = member
	for name, t := range w.types {
		var store *memberStore
		if old != nil && old.watches[name] != nil {
			// Keep what is known, so that the new connection's first list finds the differences.
			old.watches[name].cancel()
			store = old.watches[name].store
			store.Unsync()
		}
		member.watches[name] = w.start(member, cluster, t, store)
	}
	context.AfterFunc(ctx, func() { w.removeCluster(cluster, member) })
}

func (w *watchSet) removeCluster(cluster string, member *engagedMember) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clusters[cluster] == member {
		delete(w.clusters, cluster)
	}
}

// AddType starts the watches of a type on all members.
func (w *watchSet) AddType(t typeconfig.Type) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.types[t.Name] = t
	for cluster, member := range w.clusters {
		if old := member.watches[t.Name]; old != nil {
			old.cancel()
		}
		member.watches[t.Name] = w.start(member, cluster, t, nil)
	}
}

// RemoveType ends the watches of a type.
func (w *watchSet) RemoveType(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.types, name)
	for _, member := range w.clusters {
		if running := member.watches[name]; running != nil {
			running.cancel()
			delete(member.watches, name)
		}
	}
}

// Relist starts every watch of a member anew: after an outage nothing that was
// remembered is taken for granted.
func (w *watchSet) Relist(cluster string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	member := w.clusters[cluster]
	if member == nil {
		return
	}
	for name, running := range member.watches {
		running.cancel()
		running.store.Unsync()
		member.watches[name] = w.start(member, cluster, w.types[name], running.store)
	}
}

// Get returns a member's client and the watch of a type there; nil if the
// cluster is not engaged or the type not switched on.
func (w *watchSet) Get(cluster, typeName string) (*memberClient, *memberWatch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	member := w.clusters[cluster]
	if member == nil {
		return nil, nil
	}
	return member.client, member.watches[typeName]
}

// get returns what the watch knows of an object; nil also when there is no watch.
func (m *memberWatch) get(key types.NamespacedName) *live {
	if m == nil {
		return nil
	}
	return m.store.Get(key)
}

// look is get, and whether the watch's knowledge was complete then.
func (m *memberWatch) look(key types.NamespacedName) (l *live, listed bool) {
	if m == nil {
		return nil, false
	}
	return m.store.Look(key)
}

// synced says whether the watch's knowledge is complete; false when there is no watch.
func (m *memberWatch) synced() bool { return m != nil && m.store.Synced() }

// observe records an object that a write of ours returned.
func (m *memberWatch) observe(obj metav1.Object) *live { return m.store.Observe(obj, m.ended) }

// err returns why the last list or watch failed, nil once one has succeeded.
func (m *memberWatch) err() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastErr
}

// unserved says that the cluster does not serve the resource at all, so that it
// holds none of the objects; err says the same in words.
func (m *memberWatch) unserved() bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.missing
}

// fail notes why a list or watch has failed, and says whether that is news.
func (m *memberWatch) fail(err error, missing bool) (news bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastErr, m.missing, m.watching = err, missing, false
	text := errtext.Stable(err)
	news, m.told = m.told != text, text
	return news
}

// listed notes that a list has arrived, accepted that a watch was begun; both say
// whether it is news that the objects are followed. That takes the two of them:
// where lists work and watches are refused, nothing has become better.
func (m *memberWatch) listed() (news bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastErr, m.missing = nil, false
	return m.follows()
}

func (m *memberWatch) accepted() (news bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watching = true
	return m.follows()
}

// follows is for the two above.
func (m *memberWatch) follows() (news bool) {
	if m.lastErr != nil || !m.watching || m.told == "" {
		return false
	}
	m.told = ""
	return true
}

// start runs a watch into store, a new one if nil. The caller holds w.mu.
func (w *watchSet) start(member *engagedMember, cluster string, t typeconfig.Type, store *memberStore) *memberWatch {
	ctx, cancel := context.WithCancel(member.ctx)
	running := &memberWatch{cancel: cancel, store: store, ended: func() bool { return ctx.Err() != nil }}
	if running.store == nil {
		running.store = newMemberStore(t.CollectsStatus(),
			func(key types.NamespacedName, before, after *live) { w.onChange(cluster, t.Name, key, before, after) },
			func() { w.onSynced(cluster, t.Name) })
	}
	lw, example := member.client.listWatch(t, w.namespace,
		func(ctx context.Context, err error) { w.failed(ctx, member, cluster, t, running, err) },
		func() { w.tell(cluster, t, running.accepted()) })
	running.onListed = func() { w.tell(cluster, t, running.listed()) }
	reflector := cache.NewReflectorWithOptions(lw, example, running, cache.ReflectorOptions{
		Name:            "member " + cluster + ": " + t.Name,
		TypeDescription: t.Target.GVR.String(),
		Backoff:         &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 7, Cap: 10 * time.Second},
	})
	// The reflector logs every try that fails as an error; failed says it once.
	go reflector.RunWithContext(klog.NewContext(ctx, logr.Discard()))
	return running
}

// failed notes why a list or watch has failed.
func (w *watchSet) failed(ctx context.Context, member *engagedMember, cluster string, t typeconfig.Type, running *memberWatch, err error) {
	if ctx.Err() != nil {
		return // it was ended
	}
	missing := false
	if apierrors.IsNotFound(err) {
		err, missing = member.client.whyNotFound(ctx, t.Target, err)
	}
	if !missing && running.unserved() && !apierrors.IsNotFound(err) {
		missing = true // nothing is known that speaks against it
	}
	if ctx.Err() != nil {
		return // while that was asked
	}
	first := missing && !running.unserved()
	if running.fail(err, missing) {
		w.log.Info("Could not follow the objects of a member cluster; trying again", "cluster", cluster, "type", t.Name, "error", errtext.Stable(err))
	}
	if first {
		_ = running.store.Replace(nil, "0", running.ended) // its objects have gone with the resource; an empty list is always accepted
	}
}

// tell says that what had failed works.
func (w *watchSet) tell(cluster string, t typeconfig.Type, news bool) {
	if news {
		w.log.Info("The objects of a member cluster are followed again", "cluster", cluster, "type", t.Name)
	}
}

// The methods of memberWatch that follow are cache.ReflectorStore's: what a reflector
// delivers after the watch has been ended is dropped.

// Add implements cache.ReflectorStore.
func (m *memberWatch) Add(obj any) error { return m.store.Put(obj, m.ended) }

// Update implements cache.ReflectorStore.
func (m *memberWatch) Update(obj any) error { return m.store.Put(obj, m.ended) }

// Delete implements cache.ReflectorStore.
func (m *memberWatch) Delete(obj any) error { return m.store.Delete(obj, m.ended) }

// Replace implements cache.ReflectorStore.
func (m *memberWatch) Replace(list []any, resourceVersion string) error {
	if m.ended() {
		return nil
	}
	m.onListed()
	return m.store.Replace(list, resourceVersion, m.ended)
}

// Resync implements cache.ReflectorStore; there is no periodic resync.
func (m *memberWatch) Resync() error { return nil }

// Bookmark implements cache.ReflectorBookmarkStore.
func (m *memberWatch) Bookmark(resourceVersion string) error {
	m.store.Bookmark(resourceVersion, m.ended)
	return nil
}
