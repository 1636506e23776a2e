package diff

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/propagation/member"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/settings"
)

// patience is how long a member may take to answer a request, firstAnswer to the first,
// which asks it who it is.
const (
	patience    = 20 * time.Second
	firstAnswer = 8 * time.Second
)

// members are reached as the controller reaches them.
type members struct {
	host      client.Client
	namespace string
	settings  settings.Propagation

	mu    sync.Mutex
	known map[string]*dialled
}

// dialled is a member, or why it is not to be asked, or not any more.
type dialled struct {
	dry     *member.DryRun
	scalers *scalers
	kfc     *fedcorev1beta1.KubeFedCluster
	err     error
}

func newMembers(ctx context.Context, f *cmdutil.Factory, protectedKeys []string) (*members, error) {
	host, err := f.HostClient()
	if err != nil {
		return nil, err
	}
	how, err := controllersSettings(ctx, host, f)
	if err != nil {
		return nil, err
	}
	if protectedKeys != nil {
		how.ProtectedKeys = protectedKeys
	}
	return &members{host: host, namespace: f.KubeFedNamespace, settings: how, known: map[string]*dialled{}}, nil
}

// of is a member; each is dialled once, and its questions follow each other.
func (m *members) of(ctx context.Context, cluster string) *dialled {
	m.mu.Lock()
	found := m.known[cluster]
	m.mu.Unlock()
	if found != nil {
		return found
	}
	d := m.dial(ctx, cluster)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[cluster] = d
	return d
}

// dial makes sure that the member answers, and that it is the one that joined.
func (m *members) dial(ctx context.Context, cluster string) *dialled {
	d := &dialled{kfc: &fedcorev1beta1.KubeFedCluster{}}
	if err := m.host.Get(ctx, client.ObjectKey{Namespace: m.namespace, Name: cluster}, d.kfc); err != nil {
		d.err = fmt.Errorf("reading KubeFedCluster %s/%s: %w", m.namespace, cluster, err)
		return d
	}
	secret, err := cmdutil.Credentials(ctx, m.host, d.kfc)
	if err != nil {
		d.err = err
		return d
	}
	config, err := reach.ClientConfig(d.kfc, secret, patience)
	if err == nil {
		err = identify(ctx, d.kfc, secret)
	}
	if err == nil {
		err = d.connect(config)
	}
	d.err = err
	return d
}

// connect makes the clients of the member.
func (d *dialled) connect(config *rest.Config) error {
	config.WarningHandler = rest.NoWarnings{}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	d.dry = member.NewDryRun(meta, dyn, disco.RESTClient(), patience)
	d.scalers = &scalers{objects: dyn, served: fleet.NewDiscovery(disco.RESTClient(), patience)}
	return nil
}

// identify asks a member who it is, as the controller does before it uses one.
func identify(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster, secret *corev1.Secret) error {
	access, err := reach.AccessOf(kfc, secret)
	if err != nil {
		return err
	}
	prober, err := reach.NewProber(access, kfc.Namespace+"/"+kfc.Spec.SecretRef.Name, "", firstAnswer)
	if err != nil {
		return err
	}
	defer prober.Close()
	if o := prober.Healthz(ctx); o.Verdict != reach.Ready {
		return errors.New(o.Detail)
	}
	uid, err := prober.ClusterUID(ctx)
	var answered *reach.StatusError
	if err != nil && !errors.As(err, &answered) {
		return err
	}
	if why := reach.Stranger(kfc, uid); why != "" { // what may not be read is not compared
		return errors.New(why)
	}
	return nil
}

// explain is an error of a member as it is said. One that does not answer is not asked again.
func (d *dialled) explain(err error, r member.Ref) error {
	var (
		address *url.Error
		network net.Error
	)
	switch {
	case errors.As(err, &address), errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		d.err = errors.New(reach.Describe(err, d.kfc.Spec.APIEndpoint, patience))
		return d.err
	case errtext.LacksRight(err) && reach.NamespaceRights(d.kfc) != (types.NamespacedName{}) && r.Resource.Namespaced:
		return fmt.Errorf("%s: the cluster gives rights by namespace, and the controller has none in %s: it gets them where the FederatedNamespace places the namespace there", errtext.Stable(err), r.Key.Namespace)
	}
	return errors.New(errtext.InMember(err, d.kfc.Name))
}

// apply finds out what writing the object of a preview would change in its cluster.
func (m *members) apply(ctx context.Context, p *preview.Preview, cluster *preview.Cluster, c *change) {
	d := m.of(ctx, cluster.Cluster)
	if d.err != nil {
		c.err = d.err
		return
	}
	desired := m.desired(p, cluster)
	before, after, outcome := d.dry.Apply(ctx, desired)
	if d.decideReplicas(ctx, p, cluster, before, after) {
		desired = m.desired(p, cluster)
		before, after, outcome = d.dry.Apply(ctx, desired)
	}
	if err := reasonOf(outcome); namespaceMissing(err) {
		// It comes first, with a FederatedNamespace that is new as well.
		c.after, c.note = cluster.Object, "the namespace is not there yet: shown is what is sent, without defaults"
		return
	} else if err != nil {
		c.err = d.explain(err, desired.Ref)
		return
	}
	c.before, c.after, c.note = withoutNoise(before), withoutNoise(after), cluster.Autoscaling.Says()
	if after != nil && p.Exact {
		gk := p.Type.Target.GVK.GroupKind()
		if taken := federate.ForeignOf(gk, after.GetManagedFields()).Text(cluster.Rendered.LeavesReplicas); taken != "" {
			c.note = "would be taken back, beside what is shown: " + taken
		}
	}
}

// desired is what the controller would have in the cluster.
func (m *members) desired(p *preview.Preview, cluster *preview.Cluster) member.Desired {
	return member.Desired{
		Ref:      member.Ref{Resource: p.Type.Target, Key: p.TargetKey()},
		Rendered: cluster.Rendered, RetainReplicas: cluster.Rendered.LeavesReplicas, Exact: p.Exact,
		Adopt: m.settings.AdoptResources || p.Type.IsNamespace, Protected: m.settings.ProtectedKeys,
	}
}

// namespaceMissing says whether an object has been refused because its namespace is not there.
func namespaceMissing(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// remove finds out what would become of the object where it is not placed any more.
func (m *members) remove(ctx context.Context, p *preview.Preview, cluster string, c *change) {
	if p.DeleteOptionsError != nil {
		c.err = p.DeleteOptionsError
		return
	}
	d := m.of(ctx, cluster)
	if d.err != nil {
		c.err = d.err
		return
	}
	unwanted := member.Unwanted{
		Ref: member.Ref{Resource: p.Type.Target, Key: p.TargetKey()}, KeepFound: p.Type.IsNamespace, DeleteOptions: p.DeleteOptions,
	}
	before, after, outcome := d.dry.Remove(ctx, unwanted)
	if err := member.Err(outcome); err != nil {
		c.err = d.explain(err, unwanted.Ref)
		return
	}
	c.before, c.after = withoutNoise(before), withoutNoise(after)
}
