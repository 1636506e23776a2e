package clusterprofile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	inventoryv1alpha1 "sigs.k8s.io/cluster-inventory-api/apis/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

const (
	// settle is how long news are waited for that come together, and pause the least time
	// between two writes of one ClusterProfile.
	settle, pause = time.Second, 5 * time.Second
)

var (
	profiles   = resourceOf(inventoryv1alpha1.GroupVersion, "ClusterProfile", "clusterprofiles")
	clusters   = resourceOf(fedcorev1beta1.SchemeGroupVersion, "KubeFedCluster", "kubefedclusters")
	capacities = resourceOf(clusterv1alpha1.GroupVersion, "ClusterCapacity", "clustercapacities")
	// definitions are what says whether ClusterProfiles are.
	definitions = typeconfig.Resource{
		GVR: schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
		GVK: schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
	}
)

func resourceOf(gv schema.GroupVersion, kind, plural string) typeconfig.Resource {
	return typeconfig.Resource{GVR: gv.WithResource(plural), GVK: gv.WithKind(kind), Namespaced: true}
}

// Options configure a Publisher.
type Options struct {
	// KubeFedNamespace is where KubeFedClusters and ClusterProfiles are.
	KubeFedNamespace string
	// RequestTimeout bounds a request that is not a watch.
	RequestTimeout time.Duration
}

// Publisher keeps the ClusterProfiles.
type Publisher struct {
	opts      Options
	log       logr.Logger
	inventory fleet.Inventory
	dynamic   dynamic.Interface
	metadata  metadata.Interface
	queue     workqueue.TypedDelayingInterface[string]
	// written is when a ClusterProfile was written last; it belongs to the worker.
	written map[string]time.Time

	defined    *fleet.Table[metav1.PartialObjectMetadata]
	clusters   *fleet.Table[fedcorev1beta1.KubeFedCluster]
	capacities *fleet.Table[clusterv1alpha1.ClusterCapacity]
	// profiles are those that there are, while they are defined.
	profiles atomic.Pointer[fleet.Table[inventoryv1alpha1.ClusterProfile]]
}

// New returns a publisher and adds it to the manager.
func New(mgr manager.Manager, inventory fleet.Inventory, opts Options) (*Publisher, error) {
	if opts.KubeFedNamespace == "" || opts.RequestTimeout <= 0 {
		return nil, errors.New("clusterprofile: the KubeFed namespace or the time-out of requests is not set")
	}
	dyn, err := dynamic.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("clusterprofile: host client: %w", err)
	}
	meta, err := metadata.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("clusterprofile: host client: %w", err)
	}
	p := &Publisher{
		opts: opts, log: mgr.GetLogger().WithName("clusterprofile"), inventory: inventory, dynamic: dyn, metadata: meta,
		queue: workqueue.NewTypedDelayingQueue[string](), written: map[string]time.Time{},
	}
	inventory.Subscribe(p.changed)
	inventory.SubscribeFacts(p.changed)
	if err := mgr.Add(p); err != nil {
		return nil, fmt.Errorf("clusterprofile: %w", err)
	}
	return p, nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (p *Publisher) NeedLeaderElection() bool { return true }

// changed has a member's ClusterProfile looked at soon. What is in the queue already is not
// put off by that.
func (p *Publisher) changed(name string) {
	if name != "" {
		p.queue.AddAfter(name, settle)
	}
}

func (p *Publisher) allChanged() {
	for _, info := range p.inventory.Clusters() {
		p.changed(info.Name)
	}
}

// Start implements manager.Runnable: it publishes until ctx ends.
func (p *Publisher) Start(ctx context.Context) error {
	p.clusters = followed[fedcorev1beta1.KubeFedCluster](ctx, p, clusters, p.changed)
	p.capacities = followed[clusterv1alpha1.ClusterCapacity](ctx, p, capacities, p.changed)
	p.followDefinition(ctx)
	context.AfterFunc(ctx, p.queue.ShutDown)
	for {
		name, ended := p.queue.Get()
		if ended {
			return nil
		}
		if again := p.publish(ctx, name); again > 0 {
			p.queue.AddAfter(name, again)
		}
		p.queue.Done(name)
	}
}

// followed is a table of objects of the control plane's namespace, each read as what it is.
func followed[V any](ctx context.Context, p *Publisher, r typeconfig.Resource, changed func(name string)) *fleet.Table[V] {
	table := fleet.NewTable(fleet.Rules[V]{
		Read: func(obj metav1.Object) (*V, error) {
			u, ok := obj.(*unstructured.Unstructured)
			if !ok {
				return nil, fmt.Errorf("a %s is a %T", r.GVK.Kind, obj)
			}
			value := new(V)
			return value, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, value)
		},
		OnChange: func(key types.NamespacedName, _, _ *V) { changed(key.Name) },
		OnSynced: p.allChanged,
	})
	source := fleet.Objects(p.dynamic, r, p.opts.KubeFedNamespace)
	source.Name, source.Log = "host: "+r.GVR.Resource, p.log
	fleet.Follow(ctx, source, table)
	return table
}

// followDefinition follows ClusterProfiles while they are defined.
func (p *Publisher) followDefinition(ctx context.Context) {
	stop := func() {}
	p.defined = fleet.NewTable(fleet.Rules[metav1.PartialObjectMetadata]{
		Read: func(obj metav1.Object) (*metav1.PartialObjectMetadata, error) {
			return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: obj.GetName(), UID: obj.GetUID()}}, nil
		},
		Same: func(before, after *metav1.PartialObjectMetadata) bool { return before.UID == after.UID },
		OnChange: func(_ types.NamespacedName, before, after *metav1.PartialObjectMetadata) {
			if before != nil && after != nil && before.UID == after.UID {
				return
			}
			stop()
			p.profiles.Store(nil)
			if after == nil {
				return
			}
			var within context.Context
			within, stop = context.WithCancel(ctx)
			p.profiles.Store(followed[inventoryv1alpha1.ClusterProfile](within, p, profiles, p.changed))
		},
	})
	source := fleet.Metadata(p.metadata, definitions, "")
	source.Fields = "metadata.name=" + profiles.GVR.GroupResource().String()
	source.Name, source.Log = "host: definition of clusterprofiles", p.log
	fleet.Follow(ctx, source, p.defined)
}

// publish writes a member's ClusterProfile if it says something else than is so, and returns
// after what time that is to be tried again.
func (p *Publisher) publish(ctx context.Context, name string) (again time.Duration) {
	if left := pause - time.Since(p.written[name]); left > 0 {
		return left
	}
	table := p.profiles.Load()
	info, joined := p.inventory.Info(name)
	if table == nil || !table.Synced() || !p.capacities.Synced() || !joined {
		delete(p.written, name)
		return 0 // whoever becomes known tells
	}
	key := types.NamespacedName{Namespace: p.opts.KubeFedNamespace, Name: name}
	cluster, stored := p.clusters.Get(key), table.Get(key)
	if cluster == nil || cluster.UID != info.UID {
		return 0
	}
	facts, _ := p.inventory.Facts(name)
	previous := &inventoryv1alpha1.ClusterProfileStatus{}
	if stored != nil {
		if stored.Spec.ClusterManager.Name != Manager {
			p.log.V(1).Info("A ClusterProfile has another manager, and is left alone", "cluster", name, "manager", errtext.Bounded(stored.Spec.ClusterManager.Name, mostOfName))
			return 0
		}
		previous = &stored.Status
	}
	status := statusOf(known{cluster: cluster, info: info, facts: facts, capacity: p.capacities.Get(key)}, previous, time.Now())
	if stored != nil && equality.Semantic.DeepEqual(*previous, status) {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, p.opts.RequestTimeout)
	defer cancel()
	p.written[name] = time.Now()
	if err := p.write(ctx, cluster, stored, status); err != nil {
		if ctx.Err() == nil {
			p.log.Info("Could not write a ClusterProfile; will retry", "cluster", name, "error", errtext.Stable(err))
		}
		return pause
	}
	return 0
}

// write makes the ClusterProfile where there is none, and writes its status.
func (p *Publisher) write(ctx context.Context, cluster *fedcorev1beta1.KubeFedCluster, stored *inventoryv1alpha1.ClusterProfile, status inventoryv1alpha1.ClusterProfileStatus) error {
	client := p.dynamic.Resource(profiles.GVR).Namespace(cluster.Namespace)
	if stored == nil {
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&inventoryv1alpha1.ClusterProfile{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: cluster.Namespace, Name: cluster.Name, Labels: map[string]string{inventoryv1alpha1.LabelClusterManagerKey: Manager},
				OwnerReferences: []metav1.OwnerReference{{
					APIVersion: fedcorev1beta1.SchemeGroupVersion.String(), Kind: clusters.GVK.Kind, Name: cluster.Name, UID: cluster.UID,
				}},
			},
			Spec: inventoryv1alpha1.ClusterProfileSpec{DisplayName: cluster.Name, ClusterManager: inventoryv1alpha1.ClusterManager{Name: Manager}},
		})
		if err != nil {
			return err
		}
		delete(object, "status")
		u := &unstructured.Unstructured{Object: object}
		u.SetGroupVersionKind(profiles.GVK)
		if _, err := client.Create(ctx, u, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	said, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return err
	}
	for _, field := range []string{"conditions", "version", "properties", "accessProviders"} {
		if said[field] == nil {
			said[field] = nil // what is not said any more goes
		}
	}
	body, err := json.Marshal(map[string]any{"status": said})
	if err != nil {
		return err
	}
	_, err = client.Patch(ctx, cluster.Name, types.MergePatchType, body, metav1.PatchOptions{}, "status")
	return err
}
