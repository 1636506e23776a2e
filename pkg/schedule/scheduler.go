package schedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
	mcmanager "sigs.k8s.io/multicluster-runtime/pkg/manager"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Inventory is what the scheduler asks of the member clusters; pkg/membership's
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

// DefaultUnschedulableAfter is how long KubeFed waits for a pod without a node.
const DefaultUnschedulableAfter = time.Minute

// Options configure a Scheduler. Zero values mean the default named with each field.
type Options struct {
	// TargetNamespace limits the scheduler to one namespace; empty: all.
	TargetNamespace string
	// UnschedulableAfter is how long a pod may have no node before its replica
	// counts as one that the cluster has no room for (1m).
	UnschedulableAfter time.Duration
	// RequestTimeout bounds a request that is not a watch (15s).
	RequestTimeout time.Duration
}

// targetTypes are the types that ReplicaSchedulingPreferences can be about, by the
// names of their FederatedTypeConfigs, as in KubeFed.
var targetTypes = []string{"deployments.apps", "replicasets.apps"}

// Scheduler carries out ReplicaSchedulingPreferences. It implements
// typeconfig.Registrar, from which it knows which types run, and
// multicluster-runtime's Runnable: the manager engages member clusters with it.
type Scheduler struct {
	opts        Options
	log         logr.Logger
	inventory   Inventory
	host        dynamic.Interface
	hostMeta    metadata.Interface
	events      *eventnote.Recorder
	preferences *watching[preference]
	queue       workqueue.TypedRateLimitingInterface[reconcile.Request]
	began       time.Time
	ctx         context.Context //nolint:containedctx // the life of the leader: watches come and go within it

	// mu guards what follows. It is never held over I/O.
	mu sync.Mutex
	// types are those that run.
	types map[string]typeconfig.Type
	// wants are the types that preferences need, by the preference.
	wants map[types.NamespacedName]string
	// hosts are the watches on the host for the types that are needed.
	hosts   map[string]*hostWatches
	members map[string]*member
	seen    map[string]membership.Info // what was last acted on of each cluster
}

// hostWatches tell of the federated objects of a type, and of the
// FederatedNamespaces around them.
type hostWatches struct{ federated, namespaces *watching[version] }

// member is a member cluster's connection and the watches on it, by type.
type member struct {
	ctx     context.Context //nolint:containedctx // the life of the connection
	dynamic dynamic.Interface
	core    corev1client.CoreV1Interface
	watches map[string]*watching[workload]
}

var (
	_ typeconfig.Registrar = &Scheduler{}
	_ multicluster.Aware   = &Scheduler{}
)

// New returns a scheduler and adds it, with its controller, to the manager.
func New(mgr mcmanager.Manager, inventory Inventory, opts Options) (*Scheduler, error) {
	if opts.UnschedulableAfter <= 0 {
		opts.UnschedulableAfter = DefaultUnschedulableAfter
	}
	if opts.RequestTimeout <= 0 {
		opts.RequestTimeout = 15 * time.Second
	}
	local := mgr.GetLocalManager()
	config := rest.CopyConfig(local.GetConfig())
	config.QPS, config.Burst = -1, -1 // the API server's own priority and fairness decides
	config.WarningHandler = rest.NoWarnings{}
	dyn, dynErr := dynamic.NewForConfigAndClient(config, local.GetHTTPClient())
	meta, metaErr := metadata.NewForConfigAndClient(config, local.GetHTTPClient())
	if err := errors.Join(dynErr, metaErr); err != nil {
		return nil, fmt.Errorf("host client: %w", err)
	}
	s := &Scheduler{
		opts: opts, log: mgr.GetLogger().WithName("schedule"), inventory: inventory,
		host: dyn, hostMeta: meta, events: eventnote.NewRecorder(local, "fedctl"),
		types: map[string]typeconfig.Type{}, wants: map[types.NamespacedName]string{},
		hosts: map[string]*hostWatches{}, members: map[string]*member{}, seen: map[string]membership.Info{},
	}
	c, err := controller.NewTyped("replicaschedulingpreference", local, controller.TypedOptions[reconcile.Request]{
		Reconciler:              reconcile.TypedFunc[reconcile.Request](s.Reconcile),
		MaxConcurrentReconciles: 8,
		RecoverPanic:            ptr.To(true),
		UsePriorityQueue:        ptr.To(false),
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](250*time.Millisecond, time.Minute),
	})
	if err != nil {
		return nil, fmt.Errorf("schedule controller: %w", err)
	}
	if err := c.Watch(source.TypedFunc[reconcile.Request](s.begin)); err != nil {
		return nil, fmt.Errorf("schedule controller: %w", err)
	}
	inventory.Subscribe(s.clusterChanged)
	if err := mgr.Add(s); err != nil {
		return nil, fmt.Errorf("scheduler: %w", err)
	}
	return s, nil
}

// begin is the source of the controller: it starts the watch on preferences, and
// does not wait for it.
func (s *Scheduler) begin(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx, s.queue, s.began = ctx, queue, time.Now()
	s.preferences = s.watchPreferences(ctx)
	return nil
}

// Start implements manager.Runnable; the controller does the work.
func (s *Scheduler) Start(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (s *Scheduler) NeedLeaderElection() bool { return true }

// Register implements typeconfig.Registrar. Types without replicas are none of ours.
func (s *Scheduler) Register(_ context.Context, t typeconfig.Type) error {
	if !slices.Contains(targetTypes, t.Name) {
		return nil
	}
	s.mu.Lock()
	if s.types[t.Name] != t {
		s.stopType(t.Name)
		s.types[t.Name] = t
	}
	s.mu.Unlock()
	s.enqueueAll()
	return nil
}

// Unregister implements typeconfig.Registrar.
func (s *Scheduler) Unregister(_ context.Context, name string) error {
	s.mu.Lock()
	s.stopType(name)
	delete(s.types, name)
	s.mu.Unlock()
	s.enqueueAll()
	return nil
}

// Engage implements multicluster.Aware: a member is connected until ctx ends.
func (s *Scheduler) Engage(ctx context.Context, name multicluster.ClusterName, cl cluster.Cluster) error {
	config := rest.CopyConfig(cl.GetConfig())
	config.WarningHandler = rest.NoWarnings{}
	dyn, dynErr := dynamic.NewForConfigAndClient(config, cl.GetHTTPClient())
	config.ContentType, config.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json"
	core, coreErr := corev1client.NewForConfigAndClient(config, cl.GetHTTPClient())
	if err := errors.Join(dynErr, coreErr); err != nil {
		return fmt.Errorf("cluster %q: %w", name, err)
	}
	m := &member{ctx: ctx, dynamic: dyn, core: core, watches: map[string]*watching[workload]{}}
	s.mu.Lock()
	if ctx.Err() == nil { // one that has left must not displace the one after it
		s.members[string(name)] = m // the watches of another connection have ended with its context
		for typeName := range s.hosts {
			m.watches[typeName] = s.watchWorkloads(m, string(name), s.types[typeName])
		}
	}
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.members[string(name)] == m {
			delete(s.members, string(name))
		}
	})
	s.enqueueAll()
	return nil
}

// want records which type a preference needs, "" for none, and starts or stops
// that type's watches.
func (s *Scheduler) want(key types.NamespacedName, typeName string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.wants[key]
	if typeName == "" {
		delete(s.wants, key)
	} else {
		s.wants[key] = typeName
	}
	if before != typeName && before != "" && !slices.Contains(slices.Collect(maps.Values(s.wants)), before) {
		s.stopType(before)
	}
	if t, running := s.types[typeName]; running && s.hosts[typeName] == nil {
		s.startType(t)
	}
}

// startType starts the watches of a type. The caller holds the lock.
func (s *Scheduler) startType(t typeconfig.Type) {
	again := func() { s.enqueueType(t.Name) }
	h := &hostWatches{federated: s.watchVersions(s.ctx, t.Federated, s.enqueueKnown, again)}
	if t.FederatedNamespace != (typeconfig.Resource{}) {
		h.namespaces = s.watchVersions(s.ctx, t.FederatedNamespace, func(key types.NamespacedName) {
			if key.Name == key.Namespace {
				s.enqueueNamespace(key.Namespace)
			}
		}, again)
	}
	s.hosts[t.Name] = h
	for name, m := range s.members {
		m.watches[t.Name] = s.watchWorkloads(m, name, t)
	}
}

// stopType stops the watches of a type. The caller holds the lock.
func (s *Scheduler) stopType(name string) {
	if h := s.hosts[name]; h != nil {
		h.federated.stop()
		if h.namespaces != nil {
			h.namespaces.stop()
		}
		delete(s.hosts, name)
	}
	for _, m := range s.members {
		if w := m.watches[name]; w != nil {
			w.stop()
			delete(m.watches, name)
		}
	}
}

// clusterChanged is called when a cluster comes, goes, is relabelled, or becomes
// ready or unready.
func (s *Scheduler) clusterChanged(name string) {
	if name == "" { // which clusters there are is known now
		s.enqueueAll()
		return
	}
	s.mu.Lock()
	var info membership.Info
	joined := false
	for _, info = range s.inventory.Clusters() {
		if joined = info.Name == name; joined {
			break
		}
	}
	before, known := s.seen[name]
	if joined {
		s.seen[name] = info
	} else {
		delete(s.seen, name)
	}
	same := joined == known && before.Ready == info.Ready && before.Probed == info.Probed && maps.Equal(before.Labels, info.Labels)
	if m := s.members[name]; m != nil && joined && info.Ready && before.Probed && !before.Ready {
		for typeName, w := range m.watches { // nothing that was known before an outage is taken for granted
			w.stop()
			m.watches[typeName] = s.watchWorkloads(m, name, s.types[typeName])
		}
	}
	s.mu.Unlock()
	if !same {
		s.enqueueAll()
	}
}
