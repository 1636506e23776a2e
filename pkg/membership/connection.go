package membership

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// A connection is one way of reaching a member: a prober from the start, and a
// cluster.Cluster once it has been opened. It serves one access for all its life;
// other credentials are another connection, but for the next token of the same account,
// which it goes on with.
type connection struct {
	fingerprint string
	place       string // the fingerprint without the token
	claims      reach.Claims
	prober      *reach.Prober
	access      reach.Access
	opts        Options
	log         logr.Logger
	faults      *answers.Faults // of all but the probes

	// Known once identified: version and uid of the cluster at the other end. uid
	// is empty when the member does not let us read it.
	identified   bool
	version, uid string

	cluster cluster.Cluster
	close   context.CancelFunc
}

func newConnection(a reach.Access, secret string, opts Options, log logr.Logger) (*connection, error) {
	a = a.WithBearer()
	prober, err := reach.NewProber(a, secret, opts.UserAgent, opts.HealthCheckTimeout)
	if err != nil {
		return nil, err
	}
	return &connection{
		fingerprint: a.Fingerprint(), place: a.Place().Fingerprint(), claims: reach.ClaimsOf(a.Token), prober: prober, access: a,
		opts: opts, log: log, faults: &answers.Faults{}, close: prober.Close,
	}, nil
}

// takesOver tells whether next is the same way to the same cluster, with another token of
// the same service account: the same rights, and nothing need be begun anew.
func (c *connection) takesOver(next *connection) bool {
	a, b := c.claims, next.claims
	return c.place == next.place && a.Account != "" && a.Account == b.Account && a.Namespace == b.Namespace && c.uid == next.uid
}

// takeToken goes on with the token of a connection that has worked, and ends that one.
func (c *connection) takeToken(from *connection) {
	c.access.Bearer.Set(from.access.Token)
	c.access.Token, c.fingerprint, c.claims = from.access.Token, from.fingerprint, from.claims
	from.close()
}

// probe asks once how the member is. One that is well is also asked who it is, so that
// a ready member has a version and an identity, and another cluster that has taken its
// place is found out.
func (c *connection) probe(ctx context.Context) reach.Observation {
	o := c.prober.Healthz(ctx)
	if o.Verdict == reach.Ready && (!c.identified || c.uid != "") {
		o = c.identify(ctx)
	}
	if problem := c.faults.Problem(); o.Verdict == reach.Ready && problem != "" {
		o.Problem, o.Refusing = problem, true
	}
	return o
}

// identify reads version and UID. A member that forbids it is ready all the
// same: members joined by KubeFed in a Namespaced control plane do. Any other
// failure is that of the probe.
func (c *connection) identify(ctx context.Context) reach.Observation {
	version, versionErr := c.version, error(nil)
	if !c.identified {
		version, versionErr = c.prober.Version(ctx)
	}
	uid, uidErr := c.prober.ClusterUID(ctx)
	for _, err := range []error{versionErr, uidErr} {
		var status *reach.StatusError
		if err != nil && (!errors.As(err, &status) || (status.Code != http.StatusForbidden && status.Code != http.StatusNotFound)) {
			return reach.Observation{Verdict: reach.NotReady, Detail: err.Error()}
		}
		if err != nil {
			c.log.Info("Member does not tell who it is", "error", errtext.Stable(err))
			if c.identified {
				return reach.Observation{Verdict: reach.Ready} // it did: who it was is kept
			}
		}
	}
	c.version, c.uid, c.identified = version, uid, true
	return reach.Observation{Verdict: reach.Ready}
}

// open builds the cluster.Cluster and starts its cache. It ends with ctx or
// close, whichever comes first, and cannot be opened again. indexes are applied
// to its cache.
func (c *connection) open(ctx context.Context, indexes []fieldIndex) (context.Context, error) {
	transport := c.access.Transport(c.opts.RequestTimeout)
	config := c.access.RESTConfig(transport, reach.Client{UserAgent: c.opts.UserAgent, QPS: c.opts.QPS, Burst: c.opts.Burst, Faults: c.faults})
	if c.opts.Wrap != nil {
		config.Wrap(c.opts.Wrap)
	}
	cl, err := newCluster(config, c.log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	for _, index := range indexes {
		if err := cl.GetFieldIndexer().IndexField(ctx, index.object, index.field, index.extract); err != nil {
			cancel()
			return nil, fmt.Errorf("indexing field %s: %w", index.field, err)
		}
	}
	c.cluster = cl
	c.close = func() {
		cancel()
		c.prober.Close()
		transport.CloseIdleConnections()
	}
	go func() {
		if err := cl.Start(ctx); err != nil {
			c.log.Error(err, "Cache of the member ended")
		}
		transport.CloseIdleConnections()
	}()
	started, cancelWait := context.WithTimeout(ctx, 10*time.Second)
	defer cancelWait()
	if !cl.GetCache().WaitForCacheSync(started) {
		c.close()
		return nil, errors.New("the member's cache did not start")
	}
	return ctx, nil
}

// newCluster returns a cluster.Cluster that makes no request of its own accord.
// Its cache keeps no managedFields, and reads of what nobody watches fail instead
// of starting a watch; unstructured reads go to the API server.
func newCluster(config *rest.Config, log logr.Logger) (cluster.Cluster, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return cluster.New(config, func(o *cluster.Options) {
		o.Scheme = clientgoscheme.Scheme
		o.HTTPClient = httpClient
		o.Logger = log
		o.Cache = cache.Options{
			DefaultTransform:            cache.TransformStripManagedFields(),
			ReaderFailOnMissingInformer: true,
		}
		o.Client = client.Options{Cache: &client.CacheOptions{Unstructured: false}}
	})
}
