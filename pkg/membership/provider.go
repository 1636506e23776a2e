package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/transport"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/settings"
)

// Options configure a Provider.
type Options struct {
	settings.Members
	// KubeFedNamespace is the only host namespace whose KubeFedClusters and
	// Secrets are read. Required.
	KubeFedNamespace string
	// Plugins are the credential plugins that KubeFedClusters may name.
	Plugins reach.Plugins
	// UserAgent is sent to members; empty: that of fedctl.
	UserAgent string
	// Wrap is put in front of the transport of each member's clients, below their
	// limits of requests; nil puts nothing there.
	Wrap transport.WrapperFunc
	// EventRecorder gets events on KubeFedClusters: ready, unready, rejected
	// credentials. Nil means none are sent.
	EventRecorder *eventnote.Recorder
	// Logger is the parent of the provider's loggers.
	Logger logr.Logger
}

// inventoryPeriod is the time between two looks at a member's version and nodes.
const inventoryPeriod = 5 * time.Minute

// Info is who one KubeFedCluster is and how it fares; Facts are what else is known of it. Values handed out are shared:
// do not modify Labels.
type Info struct {
	Name string
	// UID is the KubeFedCluster's, and Joined when it was created: a cluster that leaves
	// and joins again is another member.
	UID    types.UID
	Joined time.Time
	Labels map[string]string
	// Prune is the time up to which what was found when it joined is to be removed.
	Prune time.Time
	// NamespaceRights is the account there whose right to write is bound by namespace; the
	// zero value if it needs no RoleBindings of ours.
	NamespaceRights types.NamespacedName
	// RightsRenewed says when joining has last changed what may be done there; empty: never.
	RightsRenewed string
	// AwaitsJoin says that it was brought from another host, and has not joined this one yet.
	AwaitsJoin bool
	// Probed is false until the first probe since this process started has
	// ended: Ready is then false because nothing is known yet.
	Probed bool
	Ready  bool
	// Reason and Message are those of the Ready condition.
	Reason, Message string
	// Host: the member is the host cluster itself (same UID of the namespace
	// kube-system). It is known before the member is first ready.
	Host bool
}

// Provider keeps a connection to every member cluster of the host cluster's
// KubeFed namespace and engages those that have been ready once.
type Provider struct {
	host   cluster.Cluster
	opts   Options
	log    logr.Logger
	scheme *runtime.Scheme

	// Set by Start before started is closed, and not changed after that.
	cache   cache.Cache
	client  client.Client
	aware   multicluster.Aware
	hostUID string
	// started lets the members' goroutines begin.
	started chan struct{}
	running sync.WaitGroup

	// leftovers says what is left over in a cluster, once somebody knows.
	leftovers atomic.Pointer[func(cluster string) Leftovers]
	created   time.Time

	synced   atomic.Bool
	snapshot atomic.Pointer[[]Info]

	// mu guards what follows. It is never held over I/O or a call to others.
	mu          sync.RWMutex
	members     map[string]*member
	stopping    bool // no more members are launched
	subscribers []func(name string)
	// factSubscribers are told of facts alone.
	factSubscribers []func(name string)
	indexes         []fieldIndex
}

type fieldIndex struct {
	object  client.Object
	field   string
	extract client.IndexerFunc
}

var (
	_ multicluster.Provider         = &Provider{}
	_ multicluster.ProviderRunnable = &Provider{}
)

// New returns a provider that reads KubeFedClusters and their Secrets from host,
// with a cache of its own that is limited to the KubeFed namespace. It makes no
// request; Start does. The error names a bad option.
func New(host cluster.Cluster, opts Options) (*Provider, error) {
	if host == nil {
		return nil, errors.New("membership: no host cluster")
	}
	if opts.KubeFedNamespace == "" {
		return nil, errors.New("membership: Options.KubeFedNamespace is empty")
	}
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("membership: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), fedcorev1beta1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("membership: building the scheme: %w", err)
	}
	if opts.Logger.GetSink() == nil {
		opts.Logger = logf.Log.WithName("membership")
	}
	p := &Provider{
		host: host, opts: opts, log: opts.Logger, scheme: scheme,
		members: map[string]*member{}, started: make(chan struct{}), created: time.Now(),
	}
	p.snapshot.Store(&[]Info{})
	return p, nil
}

// Start watches KubeFedClusters and drives their members until ctx ends. aware
// is told of each member once it is first ready, again (same name, new cluster,
// new context) when its credentials have been rotated; the context it gets is
// cancelled when the member is removed or replaced. A provider starts once.
func (p *Provider) Start(ctx context.Context, aware multicluster.Aware) error {
	p.aware = aware
	if err := p.watchHost(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to end before it had begun
		}
		return fmt.Errorf("membership: %w", err)
	}
	close(p.started)
	<-ctx.Done()
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	p.running.Wait()
	return nil
}

// Get returns the member's current connection, or multicluster.ErrClusterNotFound
// when there is no such member or it has not been ready yet. Its cache fails
// reads of types that nobody has got an informer for, instead of starting one.
func (p *Provider) Get(_ context.Context, name multicluster.ClusterName) (cluster.Cluster, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if m := p.members[string(name)]; m != nil && m.cluster != nil {
		return m.cluster, nil
	}
	return nil, fmt.Errorf("%w: %s", multicluster.ErrClusterNotFound, name)
}

// IndexField indexes a field in the caches of all members, present and future.
// It asks each connected member about the type, and fails if one does not answer.
func (p *Provider) IndexField(ctx context.Context, obj client.Object, field string, extract client.IndexerFunc) error {
	p.mu.Lock()
	p.indexes = append(p.indexes, fieldIndex{obj, field, extract})
	var connected []cluster.Cluster
	for _, m := range p.members {
		if m.cluster != nil {
			connected = append(connected, m.cluster)
		}
	}
	p.mu.Unlock()
	var errs []error
	for _, cl := range connected {
		errs = append(errs, cl.GetFieldIndexer().IndexField(ctx, obj, field, extract))
	}
	return errors.Join(errs...)
}

// Clusters returns what is known of all KubeFedClusters, the unready included,
// sorted by name. It does no I/O and costs one atomic read; the slice is shared
// and must not be modified.
func (p *Provider) Clusters() []Info { return *p.snapshot.Load() }

// Info returns what is known of one KubeFedCluster. Like Clusters it does no I/O and
// takes no lock; it does not look at all of them.
func (p *Provider) Info(name string) (Info, bool) {
	infos := p.Clusters() // sorted
	i, found := slices.BinarySearchFunc(infos, name, func(info Info, name string) int { return strings.Compare(info.Name, name) })
	if !found {
		return Info{}, false
	}
	return infos[i], true
}

// Synced tells whether the KubeFedClusters have been listed: before that,
// Clusters does not know them all.
func (p *Provider) Synced() bool { return p.synced.Load() }

// Subscribe has fn called with a cluster's name when its Info changes and when it
// comes or goes. fn is called from any goroutine and must not block. Subscribe
// before Start: what happened earlier is not repeated.
func (p *Provider) Subscribe(fn func(name string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.subscribers = append(p.subscribers, fn)
}
