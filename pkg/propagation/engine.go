package propagation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	mccontroller "sigs.k8s.io/multicluster-runtime/pkg/controller"
	mcmanager "sigs.k8s.io/multicluster-runtime/pkg/manager"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/membership"
)

// Inventory is what the engine asks of the member clusters; pkg/membership's
// Provider implements it.
type Inventory interface {
	// Clusters returns all joined clusters, the unready included, without I/O.
	Clusters() []membership.Info
	// Synced says whether the joined clusters are known at all.
	Synced() bool
	// Subscribe registers a function that is called when a cluster changes, and
	// with an empty name when Synced becomes true.
	Subscribe(func(name string))
}

// Options configure the engine. Zero values take the defaults of Default.
type Options struct {
	// KubeFedNamespace is the host namespace of the control plane; it is never federated.
	KubeFedNamespace string
	// TargetNamespace limits the engine to one namespace (a Namespaced control plane); empty: all.
	TargetNamespace string
	// AdoptResources says whether objects that exist already are taken over.
	AdoptResources bool
	// Workers is how many items are in work at a time; WorkersPerCluster how many of
	// one member cluster, and HostWorkers of the host.
	Workers, WorkersPerCluster, HostWorkers int
	// RequestTimeout bounds a request that is not a watch.
	RequestTimeout time.Duration
	// SettleTimeout is how long a status waits for clusters that have not
	// answered before it is written without them.
	SettleTimeout time.Duration
	// StatusInterval is how often at most collected status is written for an object.
	StatusInterval time.Duration
	// RetryInitial and RetryMax bound the time between tries of an item that fails.
	RetryInitial, RetryMax time.Duration
	// UnreadyDeletionTimeout is how long a deletion waits for a cluster that is
	// not ready; 0 means until it is ready or has been removed.
	UnreadyDeletionTimeout time.Duration
	// PropagatedVersions says that KubeFed's records are written as well.
	PropagatedVersions bool
	// Rollups add up what the members say of the objects of a target, where their
	// status is collected.
	Rollups map[schema.GroupKind]federate.Rollup
}

// Default returns the options with every value that is not set filled in.
func (o Options) Default() Options {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	setTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&o.Workers, 256)
	set(&o.WorkersPerCluster, 16)
	set(&o.HostWorkers, 16)
	setTime(&o.RequestTimeout, 15*time.Second)
	setTime(&o.SettleTimeout, 5*time.Second)
	setTime(&o.StatusInterval, time.Second)
	setTime(&o.RetryInitial, 250*time.Millisecond)
	setTime(&o.RetryMax, 5*time.Minute)
	return o
}

// Engine propagates the federated objects of all registered types. It
// implements typeconfig.Registrar, and multicluster-runtime's Runnable: the
// manager engages member clusters with it.
type Engine struct {
	opts      Options
	log       logr.Logger
	inventory Inventory
	host      dynamic.Interface
	hostMeta  metadata.Interface
	events    *eventnote.Recorder
	queue     workqueue.TypedRateLimitingInterface[Item]
	fair      *fairQueue
	backoff   workqueue.TypedRateLimiter[Item]
	watches   *watchSet
	// namespaces are the FederatedNamespaces, whose placement bounds that of what is in them.
	namespaces namespaceStore
	// records are KubeFed's, if they are written; nil otherwise.
	records *versionRecords
	metrics *metricsSet
	now     func() time.Time

	mu       sync.RWMutex
	types    map[string]*runningType
	seen     map[string]membership.Info // what was last acted on of each cluster
	starting chan struct{}              // closed when ctx is set
	ctx      context.Context            //nolint:containedctx // the life of the leader: types come and go within it
}

// New returns an engine and adds it, with its controller, to the manager.
// hostConfig is the host cluster's.
func New(mgr mcmanager.Manager, inventory Inventory, opts Options) (*Engine, error) {
	opts = opts.Default()
	if opts.KubeFedNamespace == "" {
		return nil, errors.New("propagation: the KubeFed namespace is not set")
	}
	local := mgr.GetLocalManager()
	config := rest.CopyConfig(local.GetConfig())
	config.QPS, config.Burst = -1, -1 // the API server's own priority and fairness decides
	config.WarningHandler = rest.NoWarnings{}
	dyn, err := dynamic.NewForConfigAndClient(config, local.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("host client: %w", err)
	}
	meta, err := metadata.NewForConfigAndClient(config, local.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("host metadata client: %w", err)
	}
	fair := newFairQueue(opts.WorkersPerCluster, opts.HostWorkers)
	e := &Engine{
		opts:      opts,
		log:       mgr.GetLogger().WithName("propagation"),
		inventory: inventory,
		host:      dyn,
		hostMeta:  meta,
		events:    eventnote.NewRecorder(local, "fedctl"),
		fair:      fair,
		backoff:   workqueue.NewTypedItemExponentialFailureRateLimiter[Item](opts.RetryInitial, opts.RetryMax),
		now:       time.Now,
		types:     map[string]*runningType{},
		seen:      map[string]membership.Info{},
		starting:  make(chan struct{}),
	}
	// Not e.backoff: the controller forgets an item in its queue's limiter when it
	// is asked to come back to it, which would make every wait the first one.
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[Item](opts.RetryInitial, opts.RetryMax)
	e.queue = workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[Item]{
		DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[Item]{Queue: fair}),
	})
	e.watches = newWatchSet(e.log, opts.TargetNamespace, e.memberChanged, e.memberSynced)
	if opts.PropagatedVersions {
		e.records = newVersionRecords(e)
	}
	e.metrics = newMetrics(e)
	inventory.Subscribe(e.clusterChanged)

	if err := e.addController(mgr); err != nil {
		return nil, err
	}
	if err := mgr.Add(e); err != nil {
		return nil, fmt.Errorf("propagation engine: %w", err)
	}
	return e, nil
}

// addController runs the items through multicluster-runtime's controller: its
// workers, panic recovery and metrics, on our fair queue.
func (e *Engine) addController(mgr mcmanager.Manager) error {
	_, err := mccontroller.NewTyped("propagation", mgr, controller.TypedOptions[Item]{
		Reconciler:              reconcile.TypedFunc[Item](e.Reconcile),
		MaxConcurrentReconciles: e.opts.Workers,
		RecoverPanic:            ptr.To(true),
		NeedLeaderElection:      ptr.To(true),
		UsePriorityQueue:        ptr.To(false),
		NewQueue: func(string, workqueue.TypedRateLimiter[Item]) workqueue.TypedRateLimitingInterface[Item] {
			return e.queue
		},
		LogConstructor: func(item *Item) logr.Logger {
			if item == nil {
				return e.log
			}
			return e.log.WithValues("type", item.Type, "object", item.Object.String(), "cluster", item.ClusterName.String())
		},
	})
	if err != nil {
		return fmt.Errorf("propagation controller: %w", err)
	}
	return nil
}

// Start implements manager.Runnable: types may run from now on until ctx ends.
func (e *Engine) Start(ctx context.Context) error {
	e.mu.Lock()
	e.ctx = ctx
	close(e.starting)
	e.mu.Unlock()
	e.watchRecords(ctx)
	<-ctx.Done()
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (e *Engine) NeedLeaderElection() bool { return true }

// Engage implements multicluster.Aware: the watches on a member start, in the
// background, and end with ctx.
func (e *Engine) Engage(ctx context.Context, name multicluster.ClusterName, cl cluster.Cluster) error {
	client, err := newMemberClient(cl, e.opts.RequestTimeout)
	if err != nil {
		return fmt.Errorf("cluster %q: %w", name, err)
	}
	e.watches.AddCluster(ctx, name.String(), client)
	return nil
}

// Reconcile works on one item. Failures are recorded in the object's status and
// tried again later; it returns an error only for what no status can tell.
func (e *Engine) Reconcile(ctx context.Context, item Item) (reconcile.Result, error) {
	t := e.begin(item.Type)
	if t == nil {
		e.backoff.Forget(item)
		return reconcile.Result{}, nil // switched off meanwhile
	}
	defer t.working.Done()
	if item.ClusterName == "" {
		return e.decide(ctx, t, item)
	}
	return e.carryOut(ctx, t, item)
}

// memberSynced is called when a member's objects of a type have been listed.
func (e *Engine) memberSynced(clusterName, typeName string) {
	t := e.typeNamed(typeName)
	if t == nil {
		return
	}
	e.log.V(1).Info("Listed the managed objects of a member cluster", "cluster", clusterName, "type", typeName)
	e.enqueueAll(t)
	e.enqueueOrphans(t, clusterName)
}

// reconsider queues all of a type: what it takes to decide has just become known.
func (e *Engine) reconsider(t *runningType) {
	e.enqueueAll(t)
	for _, info := range e.inventory.Clusters() {
		e.enqueueOrphans(t, info.Name)
	}
}

// reconsiderAll is reconsider for every type.
func (e *Engine) reconsiderAll() {
	for _, t := range e.runningTypes() {
		e.reconsider(t)
	}
}

// enqueueOrphans queues what bears our label in a member without a federated object.
func (e *Engine) enqueueOrphans(t *runningType, clusterName string) {
	_, watched := e.watches.Get(clusterName, t.Name)
	if watched == nil || !t.host.Synced() {
		return
	}
	for _, key := range watched.store.Keys() {
		if fed := t.federatedKey(key); t.host.Get(fed) == nil {
			e.queue.Add(Item{Type: t.Name, Object: fed, ClusterName: multicluster.ClusterName(clusterName)})
		}
	}
}

// memberChanged is called when a member's object differs from what was known of it.
func (e *Engine) memberChanged(clusterName, typeName string, key types.NamespacedName, before, after *live) {
	t := e.typeNamed(typeName)
	if t == nil {
		return
	}
	if t.IsNamespace && before == nil && after != nil {
		e.namespaceAppeared(clusterName, key.Name)
	}
	fedKey := t.federatedKey(key)
	host := t.host.Get(fedKey)
	if before != nil && after != nil && before.remote != after.remote && host != nil {
		e.queue.AddAfter(Item{Type: typeName, Object: fedKey}, e.opts.StatusInterval)
	}
	if e.records != nil && host != nil && before.recorded() != after.recorded() {
		e.queue.AddAfter(Item{Type: typeName, Object: fedKey}, e.opts.StatusInterval)
	}
	if o := t.object(fedKey); o != nil && host != nil {
		o.mu.Lock()
		p := o.places[clusterName]
		expected := p != nil && !p.pending && p.upToDate(after)
		if p != nil && after == nil && p.want == wantAbsent {
			p.applied, p.owned, p.attempted = "", 0, false // the watch says so: it is gone, or no longer ours
		}
		o.mu.Unlock()
		if expected {
			return // the echo of our own write, or a change to fields that are not ours
		}
	}
	e.queue.Add(Item{Type: typeName, Object: fedKey, ClusterName: multicluster.ClusterName(clusterName)})
}

// namespaceAppeared releases the objects that wait for their namespace in a member.
func (e *Engine) namespaceAppeared(clusterName, namespace string) {
	for _, t := range e.runningTypes() {
		if !t.Target.Namespaced {
			continue
		}
		for _, key := range t.host.Keys(namespace) {
			e.queue.Add(Item{Type: t.Name, Object: key, ClusterName: multicluster.ClusterName(clusterName)})
		}
	}
}

// clusterChanged is called when a cluster comes, goes, is relabelled, or
// becomes ready or unready: every placement may differ then.
func (e *Engine) clusterChanged(name string) {
	if name == "" { // which clusters there are is known now
		e.reconsiderAll()
		return
	}
	e.mu.Lock()
	info, joined := e.cluster(name)
	before, known := e.seen[name]
	if joined {
		e.seen[name] = info
	} else {
		delete(e.seen, name)
	}
	e.mu.Unlock()
	if joined == known && before.Ready == info.Ready && before.Probed == info.Probed && before.Host == info.Host && maps.Equal(before.Labels, info.Labels) {
		return // a new message alone changes no placement
	}
	if info.Ready && before.Probed && !before.Ready {
		e.watches.Relist(name) // no drift survives an outage
	}
	for _, t := range e.runningTypes() {
		e.enqueueAll(t)
		e.enqueueOrphans(t, name) // it may have been listed before it counted as ready
	}
}

// enqueueAll queues the host's item of all federated objects of a type.
func (e *Engine) enqueueAll(t *runningType) {
	for _, key := range t.host.Keys("") {
		e.queue.Add(Item{Type: t.Name, Object: key})
	}
}

// cluster returns one joined cluster, without a copy of all.
func (e *Engine) cluster(name string) (membership.Info, bool) {
	for _, info := range e.inventory.Clusters() {
		if info.Name == name {
			return info, true
		}
	}
	return membership.Info{}, false
}

func (e *Engine) clusters() map[string]membership.Info {
	list := e.inventory.Clusters()
	infos := make(map[string]membership.Info, len(list))
	for _, info := range list {
		infos[info.Name] = info
	}
	return infos
}
