package diff

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/propagation/member"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/settings"
)

// patience is how long a member may take to answer a request.
const patience = 20 * time.Second

// members are reached as the controller reaches them.
type members struct {
	host      client.Client
	namespace string
	// adopt says that objects which are there already are taken over.
	adopt bool

	mu    sync.Mutex
	known map[string]*dialled
}

// dialled is a member, or why it is not to be asked.
type dialled struct {
	dry *member.DryRun
	err error
}

func newMembers(ctx context.Context, f *cmdutil.Factory) (*members, error) {
	host, err := f.HostClient()
	if err != nil {
		return nil, err
	}
	config := &fedcorev1beta1.KubeFedConfig{}
	err = host.Get(ctx, client.ObjectKey{Namespace: f.KubeFedNamespace, Name: kubefedconfig.Name}, config)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading KubeFedConfig %s/%s: %w", f.KubeFedNamespace, kubefedconfig.Name, err)
	}
	kubefedconfig.Default(&config.Spec)
	adopt := *config.Spec.SyncController.AdoptResources != fedcorev1beta1.AdoptResourcesDisabled
	return &members{host: host, namespace: f.KubeFedNamespace, adopt: adopt, known: map[string]*dialled{}}, nil
}

// of is a member; those that ask for one wait for each other no longer than it takes to
// read its credentials.
func (m *members) of(ctx context.Context, cluster string) (*member.DryRun, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[cluster] == nil {
		dry, err := m.dial(ctx, cluster)
		m.known[cluster] = &dialled{dry, err}
	}
	return m.known[cluster].dry, m.known[cluster].err
}

func (m *members) dial(ctx context.Context, cluster string) (*member.DryRun, error) {
	kfc := &fedcorev1beta1.KubeFedCluster{}
	if err := m.host.Get(ctx, client.ObjectKey{Namespace: m.namespace, Name: cluster}, kfc); err != nil {
		return nil, fmt.Errorf("reading KubeFedCluster %s/%s: %w", m.namespace, cluster, err)
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: m.namespace, Name: kfc.Spec.SecretRef.Name}
	switch err := m.host.Get(ctx, key, secret); {
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("its credentials (Secret %s of the host) may not be read, with which it is asked: %w", key, err)
	case apierrors.IsNotFound(err):
		secret = nil
	case err != nil:
		return nil, fmt.Errorf("reading Secret %s: %w", key, err)
	}
	config, err := reach.ClientConfig(kfc, secret, patience)
	if err != nil {
		return nil, err
	}
	config.WarningHandler = rest.NoWarnings{}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return member.NewDryRun(meta, dyn, disco.RESTClient(), patience), nil
}

// apply finds out what writing the object of a preview would change in its cluster.
func (m *members) apply(ctx context.Context, p *preview.Preview, cluster *preview.Cluster, c *change) {
	dry, err := m.of(ctx, cluster.Cluster)
	if err != nil {
		c.err = err
		return
	}
	desired := member.Desired{
		Ref:      member.Ref{Resource: p.Type.Target, Key: p.TargetKey()},
		Rendered: cluster.Rendered, RetainReplicas: p.RetainReplicas, Exact: p.Exact,
		Adopt: m.adopt || p.Type.IsNamespace, Protected: settings.DefaultProtectedKeys,
	}
	before, after, outcome := dry.Apply(ctx, desired)
	if err := reasonOf(outcome); namespaceMissing(err) {
		// It comes first, with a FederatedNamespace that is new as well.
		c.after, c.note = cluster.Object, "the namespace is not there yet: shown is what is sent, without defaults"
		return
	} else if err != nil {
		c.err = errors.New(errtext.InMember(err, cluster.Cluster))
		return
	}
	c.before, c.after = withoutNoise(before), withoutNoise(after)
	if after != nil && p.Exact {
		gk := p.Type.Target.GVK.GroupKind()
		if taken := federate.ForeignOf(gk, after.GetManagedFields()).Text(p.RetainReplicas); taken != "" {
			c.note = "would be taken back, beside what is shown: " + taken
		}
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
	dry, err := m.of(ctx, cluster)
	if err != nil {
		c.err = err
		return
	}
	before, after, outcome := dry.Remove(ctx, member.Unwanted{
		Ref: member.Ref{Resource: p.Type.Target, Key: p.TargetKey()}, KeepFound: p.Type.IsNamespace, DeleteOptions: p.DeleteOptions,
	})
	if err := member.Err(outcome); err != nil {
		c.err = errors.New(errtext.InMember(err, cluster))
		return
	}
	c.before, c.after = withoutNoise(before), withoutNoise(after)
}
