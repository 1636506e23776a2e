package replicas

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
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/settings"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Options configure a Controller.
type Options struct {
	settings.Replicas
	// TargetNamespace limits the controller to one namespace; empty: all.
	TargetNamespace string
	// RequestTimeout bounds a request that is not a watch.
	RequestTimeout time.Duration
}

// targetTypes are the types that ReplicaSchedulingPreferences can be about, by the
// names of their FederatedTypeConfigs, as in KubeFed.
var targetTypes = []string{"deployments.apps", "replicasets.apps"}

// Controller carries out ReplicaSchedulingPreferences. It implements
// typeconfig.Registrar, from which it knows which types run, and
// multicluster-runtime's Runnable: the manager engages member clusters with it.
type Controller struct {
	opts      Options
	log       logr.Logger
	inventory fleet.Inventory
	// changes are what was last acted on of each cluster.
	changes     fleet.Changes
	host        dynamic.Interface
	hostMeta    metadata.Interface
	events      *eventnote.Recorder
	preferences *fleet.Watch[preference]
	queue       workqueue.TypedRateLimitingInterface[reconcile.Request]
	ctx         context.Context //nolint:containedctx // the life of the leader: watches come and go within it
	// members are watched for the types that are needed.
	members *fleet.Members[*member, workload]

	// mu guards what follows. It is never held over I/O.
	mu sync.Mutex
	// types are those that run; told is when the last one was told of, or the start.
	types map[string]typeconfig.Type
	told  time.Time
	// wants are the types that preferences need, by the preference.
	wants map[types.NamespacedName]string
	// hosts are the watches on the host for the types that are needed.
	hosts map[string]*hostWatches
}

// hostWatches tell of the federated objects of a type, and of the
// FederatedNamespaces around them.
type hostWatches struct{ federated, namespaces *fleet.Watch[version] }

// member is a member cluster's connection.
type member struct {
	dynamic dynamic.Interface
	core    corev1client.CoreV1Interface
	clock   *clock
}

var (
	_ typeconfig.Registrar = &Controller{}
	_ multicluster.Aware   = &Controller{}
)

// New returns a controller and adds it to the manager.
func New(mgr mcmanager.Manager, inventory fleet.Inventory, opts Options) (*Controller, error) {
	if opts.RequestTimeout <= 0 {
		return nil, errors.New("replicas: the time-out of requests is not set")
	}
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("replicas: %w", err)
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
	c := &Controller{
		opts: opts, log: mgr.GetLogger().WithName("replicas"), inventory: inventory,
		host: dyn, hostMeta: meta, events: eventnote.NewRecorder(local, "fedctl"),
		types: map[string]typeconfig.Type{}, wants: map[types.NamespacedName]string{}, hosts: map[string]*hostWatches{},
	}
	c.members = fleet.NewMembers(c.watchWorkloads)
	run, err := controller.NewTyped("replicaschedulingpreference", local, controller.TypedOptions[reconcile.Request]{
		Reconciler:              reconcile.TypedFunc[reconcile.Request](c.Reconcile),
		MaxConcurrentReconciles: 8,
		RecoverPanic:            ptr.To(true),
		UsePriorityQueue:        ptr.To(false),
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](250*time.Millisecond, time.Minute),
	})
	if err != nil {
		return nil, fmt.Errorf("controller of replicas: %w", err)
	}
	if err := run.Watch(source.TypedFunc[reconcile.Request](c.begin)); err != nil {
		return nil, fmt.Errorf("controller of replicas: %w", err)
	}
	inventory.Subscribe(c.clusterChanged)
	if err := mgr.Add(c); err != nil {
		return nil, fmt.Errorf("controller of replicas: %w", err)
	}
	return c, nil
}

// begin is the source of the controller: it starts the watch on preferences, and
// does not wait for it.
func (c *Controller) begin(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx, c.queue, c.told = ctx, queue, time.Now()
	c.preferences = c.watchPreferences(ctx)
	return nil
}

// Start implements manager.Runnable; the controller does the work.
func (c *Controller) Start(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (c *Controller) NeedLeaderElection() bool { return true }

// Register implements typeconfig.Registrar. Types without replicas are none of ours.
func (c *Controller) Register(_ context.Context, t typeconfig.Type) error {
	c.mu.Lock()
	c.told = time.Now()
	if !slices.Contains(targetTypes, t.Name) {
		c.mu.Unlock()
		return nil
	}
	if c.types[t.Name] != t {
		c.stopType(t.Name)
		c.types[t.Name] = t
	}
	c.mu.Unlock()
	c.enqueueAll()
	return nil
}

// Unregister implements typeconfig.Registrar.
func (c *Controller) Unregister(_ context.Context, name string) error {
	c.mu.Lock()
	c.stopType(name)
	delete(c.types, name)
	c.mu.Unlock()
	c.enqueueAll()
	return nil
}

// Engage implements multicluster.Aware: a member is connected until ctx ends.
func (c *Controller) Engage(ctx context.Context, name multicluster.ClusterName, cl cluster.Cluster) error {
	config := rest.CopyConfig(cl.GetConfig())
	config.WarningHandler = rest.NoWarnings{}
	dyn, dynErr := dynamic.NewForConfigAndClient(config, cl.GetHTTPClient())
	config.ContentType, config.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json"
	theirs := &clock{}
	core, coreErr := corev1client.NewForConfigAndClient(config, theirs.listening(cl.GetHTTPClient()))
	if err := errors.Join(dynErr, coreErr); err != nil {
		return fmt.Errorf("cluster %q: %w", name, err)
	}
	c.members.Engage(ctx, name.String(), &member{dynamic: dyn, core: core, clock: theirs})
	c.enqueueAll()
	return nil
}

// want records which type a preference needs, "" for none, and starts or stops
// that type's watches.
func (c *Controller) want(key types.NamespacedName, typeName string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.wants[key]
	if typeName == "" {
		delete(c.wants, key)
	} else {
		c.wants[key] = typeName
	}
	if before != typeName && before != "" && !slices.Contains(slices.Collect(maps.Values(c.wants)), before) {
		c.stopType(before)
	}
	if t, running := c.types[typeName]; running && c.hosts[typeName] == nil {
		c.startType(t)
	}
}

// startType starts the watches of a type. The caller holds the lock.
func (c *Controller) startType(t typeconfig.Type) {
	again := func() { c.enqueueType(t.Name) }
	h := &hostWatches{federated: c.watchVersions(c.ctx, t.Federated, c.enqueueKnown, again)}
	if t.FederatedNamespace != (typeconfig.Resource{}) {
		h.namespaces = c.watchVersions(c.ctx, t.FederatedNamespace, func(key types.NamespacedName) {
			if key.Name == key.Namespace {
				c.enqueueNamespace(key.Namespace)
			}
		}, again)
	}
	c.hosts[t.Name] = h
	c.members.AddType(t)
}

// stopType stops the watches of a type. The caller holds the lock.
func (c *Controller) stopType(name string) {
	if h := c.hosts[name]; h != nil {
		h.federated.Stop()
		if h.namespaces != nil {
			h.namespaces.Stop()
		}
		delete(c.hosts, name)
	}
	c.members.RemoveType(name)
}

// clusterChanged is called when a cluster comes, goes, is relabelled, or becomes
// ready or unready.
func (c *Controller) clusterChanged(name string) {
	if name == "" { // which clusters there are is known now
		c.enqueueAll()
		return
	}
	change := c.changes.Of(c.inventory, name)
	if change.Recovered {
		c.members.Relist(name) // nothing that was known before an outage is taken for granted
	}
	if change.Matters {
		c.enqueueAll()
	}
}
