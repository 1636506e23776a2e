package membership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/eventnote"
)

// KubeFed's defaults of spec.clusterHealthCheck in KubeFedConfig.
const (
	DefaultPeriod           = 10 * time.Second
	DefaultTimeout          = 3 * time.Second
	DefaultFailureThreshold = 3
	DefaultSuccessThreshold = 1
)

// Options configure a Provider. Zero values mean the default named with each field.
type Options struct {
	// KubeFedNamespace is the only host namespace whose KubeFedClusters and
	// Secrets are read. Required.
	KubeFedNamespace string

	// Period is the time between two probes of a member (10s).
	Period time.Duration
	// Timeout is how long one probe may take (3s).
	Timeout time.Duration
	// FailureThreshold is how many probes must fail in a row before a ready
	// member is unready (3).
	FailureThreshold int
	// SuccessThreshold is how many probes must succeed in a row before an unready
	// member is ready (1). The first probe after a start decides by itself.
	SuccessThreshold int

	// QPS and Burst limit the requests of each member's client; 0 or less means no limit.
	QPS   float32
	Burst int
	// UserAgent is sent to members ("fedctl").
	UserAgent string
	// RequestTimeout is how long a member may take to begin its answer to any
	// request, watches included; an established watch has no time limit (30s).
	RequestTimeout time.Duration
	// InventoryPeriod is the time between two looks at a member's version and nodes (5m).
	InventoryPeriod time.Duration

	// EventRecorder gets events on KubeFedClusters: ready, unready, rejected
	// credentials. Nil means none are sent.
	EventRecorder *eventnote.Recorder
	// Logger is the parent of the provider's loggers.
	Logger logr.Logger
}

func (o *Options) setDefaults() {
	setDefault(&o.Period, DefaultPeriod)
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.FailureThreshold, DefaultFailureThreshold)
	setDefault(&o.SuccessThreshold, DefaultSuccessThreshold)
	setDefault(&o.RequestTimeout, 30*time.Second)
	setDefault(&o.InventoryPeriod, 5*time.Minute)
	setDefault(&o.QPS, -1)
	setDefault(&o.Burst, -1)
	setDefault(&o.UserAgent, "fedctl")
	if o.Logger.GetSink() == nil {
		o.Logger = logf.Log.WithName("membership")
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Info is what is known of one KubeFedCluster. Values handed out are shared:
// do not modify Labels.
type Info struct {
	Name   string
	Labels map[string]string
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

	synced   atomic.Bool
	snapshot atomic.Pointer[[]Info]

	// mu guards what follows. It is never held over I/O or a call to others.
	mu          sync.RWMutex
	members     map[string]*member
	stopping    bool // no more members are launched
	subscribers []func(name string)
	indexes     []fieldIndex
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
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), fedcorev1beta1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("membership: building the scheme: %w", err)
	}
	opts.setDefaults()
	p := &Provider{
		host: host, opts: opts, log: opts.Logger, scheme: scheme,
		members: map[string]*member{}, started: make(chan struct{}),
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
