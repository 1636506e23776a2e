package fleetapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

var clustersResource = fleetv1alpha1.GroupVersion.WithResource(fleetv1alpha1.ClustersResource).GroupResource()

const (
	// retryAfter is when a member that is not ready may be asked for again, in seconds.
	retryAfter = 10
	// secretKept is how long a Secret is used without looking at it again: so long a token
	// that was taken away may still be sent, to the member that ends it.
	secretKept = 10 * time.Second
	// secretPause is the least time between two looks at one that is no help: it could not be
	// read, lets nobody in, or has a token that the member does not accept.
	secretPause = 2 * time.Second
	// hostTimeout is for reading a Secret.
	hostTimeout = 5 * time.Second
)

// members are the ways to the members of the host, of those that were asked for.
type members struct {
	// clusters reads KubeFedClusters from memory, secrets reads Secrets, one by one: no
	// other may be read than those that the KubeFedClusters name.
	clusters, secrets client.Reader
	namespace         string
	responseTimeout   time.Duration

	mu   sync.Mutex
	ways map[string]*way
}

// way is the connection to one member. A token that is replaced by the next changes
// nothing for what is under way; anything else ends it.
type way struct {
	mu         sync.Mutex
	looked     time.Time     // when the Secret was read last, or should have been
	kept       time.Duration // how long that is to do
	uid        string        // of the KubeFedCluster
	version    string        // of it
	connection *connection
	problem    error // why there is no connection
}

// connection is what requests to one place go through, each as its user.
type connection struct {
	cluster  string
	endpoint *url.URL
	access   reach.Access
	// plain multiplexes; upgrades has a connection for each.
	plain, upgrades http.RoundTripper
	// ended is closed when the connection may not be used any more.
	ended context.Context //nolint:containedctx // the life of the connection, not of a call
	end   context.CancelFunc
	// stale asks for the Secret to be read again soon: its token was not accepted.
	stale atomic.Bool
	idle  func()
}

// to returns the connection to a member. The error is one that a client of the API
// understands; a member that is not ready is not tried.
func (m *members) to(ctx context.Context, name string) (*connection, error) {
	kfc := &fedcorev1beta1.KubeFedCluster{}
	err := m.clusters.Get(ctx, client.ObjectKey{Namespace: m.namespace, Name: name}, kfc)
	if apierrors.IsNotFound(err) {
		m.forget(name)
		return nil, apierrors.NewNotFound(clustersResource, name)
	} else if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("reading KubeFedCluster %s: %w", name, err))
	}
	if why := notReady(kfc); why != "" {
		return nil, unavailable(name, why)
	}
	w := m.way(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.fresh(kfc, time.Now()) {
		m.look(ctx, w, kfc)
	}
	if w.connection == nil {
		return nil, unavailable(name, w.problem.Error())
	}
	return w.connection, nil
}

// look reads the Secret, after which there is a connection or a problem. The caller holds the
// way's lock.
func (m *members) look(ctx context.Context, w *way, kfc *fedcorev1beta1.KubeFedCluster) {
	if w.uid != string(kfc.UID) {
		w.close()
	}
	secret, err := m.secret(context.WithoutCancel(ctx), kfc) // what is found holds for others as well
	if err == nil {
		var access reach.Access
		if access, err = reach.FleetAccess(kfc, secret); err != nil {
			w.close()
		} else {
			err = w.connect(kfc, access, m.responseTimeout)
		}
	}
	w.problem, w.looked, w.kept = err, time.Now(), secretKept
	w.uid, w.version = string(kfc.UID), kfc.ResourceVersion
	if err != nil { // a host that does not answer has taken nothing away: what there is stays
		w.kept = secretPause
	}
}

// notReady says why a member is not to be asked; empty if it is ready.
func notReady(kfc *fedcorev1beta1.KubeFedCluster) string {
	switch c := reach.ReadyCondition(kfc); {
	case c == nil:
		return "the controller has not said yet that it is ready"
	case c.Status == corev1.ConditionTrue:
		return ""
	default:
		return ptr.Deref(c.Reason, "") + ": " + ptr.Deref(c.Message, "")
	}
}

// unavailable is answered at once in place of waiting for a member.
func unavailable(cluster, why string) error {
	status := apierrors.NewServiceUnavailable(errtext.Bounded(fmt.Sprintf("cluster %s cannot be reached: %s", cluster, why), errtext.Cluster))
	status.ErrStatus.Details = &metav1.StatusDetails{
		Group: fleetv1alpha1.GroupVersion.Group, Kind: fleetv1alpha1.ClustersResource, Name: cluster, RetryAfterSeconds: retryAfter,
	}
	return status
}

func (m *members) way(name string) *way {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ways[name] == nil {
		if m.ways == nil {
			m.ways = map[string]*way{}
		}
		m.ways[name] = &way{}
	}
	return m.ways[name]
}

// forget ends what goes through to a member that has left.
func (m *members) forget(name string) {
	m.mu.Lock()
	w := m.ways[name]
	delete(m.ways, name)
	m.mu.Unlock()
	if w != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.close()
	}
}

// secret reads the Secret that a KubeFedCluster names; nil if there is none that this
// server may read.
func (m *members) secret(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster) (*corev1.Secret, error) {
	name := kfc.Annotations[reach.FleetAccessAnnotation]
	if name == "" {
		return nil, nil //nolint:nilnil // documented: there is none
	}
	ctx, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	secret := &corev1.Secret{}
	err := m.secrets.Get(ctx, client.ObjectKey{Namespace: m.namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // documented: there is none
	case apierrors.IsForbidden(err): // which is how it is taken away
		return nil, nil //nolint:nilnil // documented: there is none
	case err != nil:
		return nil, fmt.Errorf("reading Secret %s/%s in the host cluster: %s", m.namespace, name, reach.Innermost(err))
	}
	return secret, nil
}

// fresh says whether what is known will do without looking at the Secret again.
// The caller holds the lock.
func (w *way) fresh(kfc *fedcorev1beta1.KubeFedCluster, now time.Time) bool {
	kept := w.kept
	if w.connection != nil && w.connection.stale.Load() {
		kept = min(kept, secretPause)
	}
	return w.uid == string(kfc.UID) && w.version == kfc.ResourceVersion && now.Sub(w.looked) < kept
}

// connect goes on with the connection there is, if only the token is another. The caller
// holds the lock.
func (w *way) connect(kfc *fedcorev1beta1.KubeFedCluster, access reach.Access, responseTimeout time.Duration) error {
	if c := w.connection; c != nil && c.access.Place().Fingerprint() == access.Place().Fingerprint() {
		c.access.Bearer.Set(access.Token)
		c.stale.Store(false)
		return nil
	}
	w.close()
	c, err := newConnection(kfc.Name, access.WithBearer(), responseTimeout)
	if err != nil {
		return err
	}
	w.connection = c
	return nil
}

// close ends what goes through the connection. The caller holds the lock.
func (w *way) close() {
	if w.connection != nil {
		w.connection.end()
		w.connection.idle()
		w.connection = nil
	}
}

func newConnection(cluster string, access reach.Access, responseTimeout time.Duration) (*connection, error) {
	endpoint, err := url.Parse(access.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("spec.apiEndpoint %q is not a URL", errtext.Address(access.Endpoint))
	}
	plain, upgrades := access.Transport(responseTimeout), access.Transport(responseTimeout)
	reach.OnlyHTTP1(upgrades)
	plain.DisableCompression, upgrades.DisableCompression = true, true // bodies pass as they are
	c := &connection{cluster: cluster, endpoint: endpoint, access: access, plain: access.Authenticate(plain), upgrades: access.Authenticate(upgrades)}
	c.ended, c.end = context.WithCancel(context.Background())
	c.idle = func() { plain.CloseIdleConnections(); upgrades.CloseIdleConnections() }
	return c, nil
}
