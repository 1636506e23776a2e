package propagation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	mccontroller "sigs.k8s.io/multicluster-runtime/pkg/controller"
	mcmanager "sigs.k8s.io/multicluster-runtime/pkg/manager"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/settings"
)

// Options configure the engine.
type Options struct {
	settings.Propagation
	// KubeFedNamespace is the host namespace of the control plane; it is never federated.
	KubeFedNamespace string
	// TargetNamespace limits the engine to one namespace (a Namespaced control plane); empty: all.
	TargetNamespace string
	// RequestTimeout bounds a request that is not a watch.
	RequestTimeout time.Duration
	// Rollups add up what the members say of the objects of a target, where their
	// status is collected.
	Rollups map[schema.GroupKind]federate.Rollup
}

const (
	// statusInterval is how often at most collected status is written for an object.
	statusInterval = time.Second
	// retryInitial is the time before the first try again of an item that fails.
	retryInitial = 250 * time.Millisecond
)

// Engine propagates the federated objects of all registered types. It
// implements typeconfig.Registrar, and multicluster-runtime's Runnable: the
// manager engages member clusters with it.
type Engine struct {
	opts      Options
	log       logr.Logger
	inventory fleet.Inventory
	host      dynamic.Interface
	hostMeta  metadata.Interface
	events    events.EventRecorder
	queue     workqueue.TypedRateLimitingInterface[Item]
	fair      *fairQueue
	backoff   workqueue.TypedRateLimiter[Item]
	watches   *watchSet
	// namespaces are the FederatedNamespaces, whose placement bounds that of what is in them.
	namespaces namespaceStore
	// records are KubeFed's, if they are written; nil otherwise.
	records *versionRecords
	metrics *metricsSet
	// changes are what was last acted on of each cluster.
	changes fleet.Changes
	now     func() time.Time

	mu       sync.RWMutex
	types    map[string]*runningType
	starting chan struct{}   // closed when ctx is set
	ctx      context.Context //nolint:containedctx // the life of the leader: types come and go within it
}

// New returns an engine and adds it, with its controller, to the manager.
// hostConfig is the host cluster's.
func New(mgr mcmanager.Manager, inventory fleet.Inventory, opts Options) (*Engine, error) {
	if opts.KubeFedNamespace == "" || opts.RequestTimeout <= 0 {
		return nil, errors.New("propagation: the KubeFed namespace or the time-out of requests is not set")
	}
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("propagation: %w", err)
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
		events:    local.GetEventRecorder("fedctl"),
		fair:      fair,
		backoff:   workqueue.NewTypedItemExponentialFailureRateLimiter[Item](retryInitial, opts.RetryMax),
		now:       time.Now,
		types:     map[string]*runningType{},
		starting:  make(chan struct{}),
	}
	// Not e.backoff: the controller forgets an item in its queue's limiter when it
	// is asked to come back to it, which would make every wait the first one.
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[Item](retryInitial, opts.RetryMax)
	e.queue = workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[Item]{
		DelayingQueue: workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[Item]{Queue: fair}),
	})
	e.watches = newWatchSet(e)
	if opts.VersionRecords == settings.RecordPropagatedVersion {
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
	e.watches.Engage(ctx, name.String(), client)
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
	for _, key := range watched.Keys("") {
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
		e.queue.AddAfter(Item{Type: typeName, Object: fedKey}, statusInterval)
	}
	if e.records != nil && host != nil && before.recorded() != after.recorded() {
		e.queue.AddAfter(Item{Type: typeName, Object: fedKey}, statusInterval)
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
	change := e.changes.Of(e.inventory, name)
	if !change.Matters {
		return // a new message alone changes no placement
	}
	if change.Recovered {
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
