package capacity

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	resourcev1client "k8s.io/client-go/kubernetes/typed/resource/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	mcmanager "sigs.k8s.io/multicluster-runtime/pkg/manager"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Options configure a Reader.
type Options struct {
	// KubeFedNamespace is where the ClusterCapacities are written.
	KubeFedNamespace string
	// RequestTimeout bounds a request that is not a watch.
	RequestTimeout time.Duration
}

// Reader follows the nodes of the engaged members and publishes what they offer. It
// implements multicluster-runtime's Runnable.
type Reader struct {
	opts      Options
	log       logr.Logger
	inventory fleet.Inventory
	host      client.Client
	// published are the ClusterCapacities as the host tells them.
	published *fleet.Table[v1alpha1.ClusterCapacity]
	source    fleet.Source

	mu      sync.Mutex
	members map[string]*followed
	news    chan struct{} // holds one
}

// followed is a member whose nodes are followed.
type followed struct {
	name string
	ctx  context.Context //nolint:containedctx // the life of the connection: pods are followed within it
	core corev1client.CoreV1Interface
	// devices asks for what drivers offer, and drivers is that.
	devices resourcev1client.ResourceV1Interface
	drivers *drivers
	// served says what the member serves of what not every one does.
	served fleet.Discovery
	// karpenter are the NodePools, and groups the node groups of other autoscalers.
	karpenter *karpenter
	groups    nodeGroups
	nodes     *fleet.Table[accelerator.Node]
	// watch is that of the nodes; nil while the member is not engaged, and all else with it.
	watch *fleet.Watch[accelerator.Node]
	// requests are followed while somebody wants to know them; nil otherwise. They belong to
	// who publishes.
	requests *requests
	// changed says that there is something to publish, urgent that it is more than pods, and
	// again when to look in any case.
	changed, urgent bool
	again           time.Time
	pace            pace
}

// New returns a reader and adds it to the manager.
func New(mgr mcmanager.Manager, inventory fleet.Inventory, opts Options) (*Reader, error) {
	if opts.KubeFedNamespace == "" || opts.RequestTimeout <= 0 {
		return nil, errors.New("capacity: the KubeFed namespace or the time-out of requests is not set")
	}
	local := mgr.GetLocalManager()
	dyn, err := dynamic.NewForConfigAndClient(local.GetConfig(), local.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("capacity: host client: %w", err)
	}
	r := &Reader{
		opts: opts, log: mgr.GetLogger().WithName("capacity"), inventory: inventory, host: local.GetClient(),
		members: map[string]*followed{}, news: make(chan struct{}, 1),
	}
	r.published = fleet.NewTable(fleet.Rules[v1alpha1.ClusterCapacity]{
		Read:     accelerator.ReadCapacity,
		OnChange: func(key types.NamespacedName, _, _ *v1alpha1.ClusterCapacity) { r.changed(key.Name) },
	})
	r.source = fleet.Objects(dyn, typeconfig.Resource{
		GVR: v1alpha1.GroupVersion.WithResource("clustercapacities"), GVK: v1alpha1.GroupVersion.WithKind("ClusterCapacity"), Namespaced: true,
	}, opts.KubeFedNamespace)
	r.source.Name, r.source.Log = "host: clustercapacities", r.log
	inventory.Subscribe(r.changed)
	inventory.SubscribeFacts(r.changed)
	if err := mgr.Add(r); err != nil {
		return nil, fmt.Errorf("capacity: %w", err)
	}
	return r, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (r *Reader) NeedLeaderElection() bool { return true }

// Engage implements multicluster.Aware: the nodes of a member are followed until ctx ends.
func (r *Reader) Engage(ctx context.Context, name multicluster.ClusterName, cl cluster.Cluster) error {
	config := rest.CopyConfig(cl.GetConfig())
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.WarningHandler = rest.NoWarnings{}
	core, err := corev1client.NewForConfigAndClient(config, cl.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("cluster %q: client of nodes: %w", name, err)
	}
	devices, err := resourcev1client.NewForConfigAndClient(config, cl.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("cluster %q: client of devices: %w", name, err)
	}
	objects, err := dynamic.NewForConfigAndClient(cl.GetConfig(), cl.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("cluster %q: client of what may not be there: %w", name, err)
	}
	cluster := name.String()
	m := &followed{name: cluster, ctx: ctx, core: core, devices: devices, served: fleet.NewDiscovery(core.RESTClient(), r.opts.RequestTimeout)}
	log := r.log.WithValues("cluster", cluster)
	changed := func() { r.changedMore(cluster) }
	m.nodes = newNodes(changed)
	m.watch = fleet.Follow(ctx, fleet.Source{
		List: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return core.Nodes().List(ctx, options)
		},
		Watch: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return core.Nodes().Watch(ctx, options)
		},
		Example: &corev1.Node{}, Type: "nodes", Name: "member " + cluster + ": nodes", Log: log,
		OnTrouble: changed,
	}, m.nodes)
	m.drivers = followDrivers(ctx, devices, objects, m.served, cluster, log, changed)
	m.karpenter = followNodePools(ctx, objects, m.served, cluster, log, changed)
	m.groups = followNodeGroups(ctx, objects, m.served, cluster, log, changed)
	r.mu.Lock()
	r.members[cluster] = m
	r.mu.Unlock()
	r.changed(cluster) // something may have been told before anybody knew of m
	context.AfterFunc(ctx, func() {
		r.leave(m)
		r.changed(cluster) // it may be barred, and is not to be told of as it was
	})
	return nil
}

// newNodes returns a table of nodes; changed is told of news.
func newNodes(changed func()) *fleet.Table[accelerator.Node] {
	return fleet.NewTable(fleet.Rules[accelerator.Node]{
		Read: nodeOf,
		Same: func(before, after *accelerator.Node) bool { return reflect.DeepEqual(before, after) },
		OnChange: func(_ types.NamespacedName, before, after *accelerator.Node) {
			if !reflect.DeepEqual(before, after) { // most of what is told of nodes is that they live
				changed()
			}
		},
		OnSynced: changed,
	})
}

func (r *Reader) leave(m *followed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[m.name] == m {
		delete(r.members, m.name)
	}
}

// forget a member that has left and was not engaged.
func (r *Reader) forget(m *followed) {
	if m.watch == nil {
		r.leave(m)
	}
}

// changed notes that a member's ClusterCapacity may have to say something else. Of one that is
// not engaged it may say what an earlier process has written.
func (r *Reader) changed(cluster string) { r.note(cluster, false) }

// changedMore is changed, of more than what pods ask for.
func (r *Reader) changedMore(cluster string) { r.note(cluster, true) }

func (r *Reader) note(cluster string, urgent bool) {
	if cluster == "" { // all members are known: each one is told of apart
		return
	}
	r.mu.Lock()
	if r.members[cluster] == nil {
		r.members[cluster] = &followed{name: cluster}
	}
	m := r.members[cluster]
	m.changed, m.urgent = true, m.urgent || urgent
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}
