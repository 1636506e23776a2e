package checkup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/internal/version"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

const (
	// pageSize is how many objects are read at a time.
	pageSize = 500
	// mostPages are how many pages of a member's are read.
	mostPages = 20
	// atOnce is how many types or members are read at a time.
	atOnce = 8
)

// gatherer reads the host. It can only read: it has no writing client.
type gatherer struct {
	host      client.Reader
	clock     *clock
	namespace string
	factory   *cmdutil.Factory
	// scope is the control plane's, empty where the KubeFedConfig may not be read.
	scope string
	// uid is the host's, empty where it may not be read.
	uid string

	mu sync.Mutex // guards what several read at a time: in.Unread, in.Clusters
	in *diagnosis.Input
}

func newGatherer(f *cmdutil.Factory) (*gatherer, error) {
	hostConfig, err := f.HostConfig()
	if err != nil {
		return nil, err
	}
	hostClock := &clock{}
	hostConfig.Wrap(hostClock.wrap)
	host, err := client.New(rest.CopyConfig(hostConfig), client.Options{Scheme: cmdutil.Scheme})
	if err != nil {
		return nil, err
	}
	return &gatherer{host: host, clock: hostClock, namespace: f.KubeFedNamespace, factory: f}, nil
}

// gather reads all there is to judge. What cannot be read is noted; the error is for a
// host that does not answer at all.
func (g *gatherer) gather(ctx context.Context) (*diagnosis.Input, error) {
	g.in = &diagnosis.Input{Namespace: g.namespace, Now: time.Now(), Version: version.Get(), Troubles: &diagnosis.Troubles{}}
	if err := g.config(ctx); err != nil {
		return nil, err
	}
	if !g.in.Installed {
		return g.in, nil
	}
	types := g.types(ctx)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, read := range []func(context.Context){g.running, g.shipped, g.policies, g.capacities, g.clusters} {
		group.Go(func() error { read(groupCtx); return nil })
	}
	for i := range types {
		group.Go(func() error { g.objects(groupCtx, &types[i]); return nil })
	}
	_ = group.Wait() // what went wrong is noted
	slices.SortFunc(g.in.Unread, func(a, b diagnosis.Unread) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Object, b.Object))
	})
	return g.in, ctx.Err()
}

// unreadable notes an error; not found is an answer, not an error.
func (g *gatherer) unreadable(kind, object string, err error) {
	if err == nil || apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return
	}
	u := diagnosis.Unread{Kind: kind, Object: object, Why: err.Error()}
	if apierrors.IsForbidden(err) {
		u.Why = ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in.Unread = append(g.in.Unread, u)
}

// config reads the KubeFedConfig and tries it as the controller does at its start.
func (g *gatherer) config(ctx context.Context) error {
	found := &fedcorev1beta1.KubeFedConfig{}
	err := g.host.Get(ctx, client.ObjectKey{Namespace: g.namespace, Name: kubefedconfig.Name}, found)
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		return nil
	case apierrors.IsForbidden(err):
		g.unreadable("KubeFedConfig", g.namespace+"/"+kubefedconfig.Name, err)
		g.in.Installed = true // as far as that can be known
		return nil
	case err != nil:
		return fmt.Errorf("reading KubeFedConfig %s/%s: %w", g.namespace, kubefedconfig.Name, err)
	}
	g.in.Installed = true
	g.scope = cmp.Or(string(found.Spec.Scope), manifests.ScopeCluster)
	if err := config.New(pflag.NewFlagSet("controller", pflag.ContinueOnError)).Finish(found); err != nil {
		g.in.ConfigError = err.Error()
	}
	return nil
}

// running reads what runs, and who leads.
func (g *gatherer) running(ctx context.Context) {
	g.in.Controller, g.in.KubeFed = g.deployment(ctx, kubefedconfig.Controller), g.deployment(ctx, kubefedconfig.KubeFedController)
	g.in.NoLeaderSince = cmdutil.Leaderless(ctx, g.host, g.namespace)
	lease := &coordinationv1.Lease{}
	err := g.host.Get(ctx, client.ObjectKey{Namespace: g.namespace, Name: kubefedconfig.Controller}, lease)
	g.unreadable("Lease", g.namespace+"/"+kubefedconfig.Controller, err)
	if err == nil && g.in.NoLeaderSince == nil {
		g.in.Leader = ptr.Deref(lease.Spec.HolderIdentity, "")
	}
}

func (g *gatherer) deployment(ctx context.Context, name string) *diagnosis.Deployment {
	read := &appsv1.Deployment{}
	if err := g.host.Get(ctx, client.ObjectKey{Namespace: g.namespace, Name: name}, read); err != nil {
		g.unreadable("Deployment", g.namespace+"/"+name, err)
		return nil
	}
	out := &diagnosis.Deployment{Name: name, Want: ptr.Deref(read.Spec.Replicas, 1), Ready: read.Status.ReadyReplicas}
	for i := range read.Spec.Template.Spec.Containers {
		if c := &read.Spec.Template.Spec.Containers[i]; c.Name == kubefedconfig.ControllerContainer {
			out.Image = c.Image
		}
	}
	return out
}

// types reads the FederatedTypeConfigs, and returns those whose objects are to be read.
func (g *gatherer) types(ctx context.Context) []typeconfig.Type {
	list := &unstructured.UnstructuredList{} // KubeFed's Go type has no conditions
	list.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("FederatedTypeConfigList"))
	if err := g.host.List(ctx, list, client.InNamespace(g.namespace)); err != nil {
		g.unreadable("FederatedTypeConfig", "", err)
		return nil
	}
	var types []typeconfig.Type
	for i := range list.Items {
		ftc := &fedcorev1beta1.FederatedTypeConfig{}
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, ftc)
		if err != nil {
			g.unreadable("FederatedTypeConfig", list.Items[i].GetName(), err)
			continue
		}
		t, err := typeconfig.FromFederatedTypeConfig(ftc)
		if err != nil {
			g.unreadable("FederatedTypeConfig", ftc.Name, err)
			continue
		}
		row := diagnosis.Type{Name: ftc.Name, Definition: t.CRDName(), Enabled: ftc.GetPropagationEnabled(),
			Running: ftc.Status.PropagationController == fedcorev1beta1.ControllerStatusRunning, Conditions: conditionsOf(&list.Items[i])}
		row.Defined = g.isServed(ctx, &t)
		g.in.Types = append(g.in.Types, row)
		if row.Defined {
			types = append(types, t)
		}
	}
	return types
}

// isServed says whether the host serves a federated type.
func (g *gatherer) isServed(ctx context.Context, t *typeconfig.Type) bool {
	err := g.host.List(ctx, listOf(t), client.Limit(1))
	return err == nil || !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err)
}

func listOf(t *typeconfig.Type) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(t.Federated.GVK.GroupVersion().WithKind(t.Federated.GVK.Kind + "List"))
	return list
}

// conditionsOf are the conditions in a status; those of another form are none.
func conditionsOf(u *unstructured.Unstructured) []metav1.Condition {
	var read struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &read); err != nil {
		return nil
	}
	return read.Status.Conditions
}

// objects looks at all objects of a federated type, page by page.
func (g *gatherer) objects(ctx context.Context, t *typeconfig.Type) {
	list := listOf(t)
	for more := true; more; more = list.GetContinue() != "" {
		if err := g.host.List(ctx, list, client.Limit(pageSize), client.Continue(list.GetContinue())); err != nil {
			g.unreadable(t.CRDName(), "", err)
			return
		}
		for i := range list.Items {
			g.in.Troubles.Add(t, &list.Items[i], g.in.Now)
		}
	}
}

// policies reads the objects of ours that are carried out or refused.
func (g *gatherer) policies(ctx context.Context) {
	for _, kind := range []string{"ClusterOverridePolicy", "OverridePolicy"} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(policyv1alpha1.GroupVersion.WithKind(kind + "List"))
		if err := g.host.List(ctx, list); err != nil {
			g.unreadable(kind, "", err)
			continue
		}
		for i := range list.Items {
			u := &list.Items[i]
			g.in.Policies = append(g.in.Policies, diagnosis.Policy{Kind: kind, Namespace: u.GetNamespace(), Name: u.GetName(), Conditions: conditionsOf(u)})
		}
	}
}

// capacities reads how far the members' facts are known.
func (g *gatherer) capacities(ctx context.Context) {
	var list clusterv1alpha1.ClusterCapacityList
	if err := g.host.List(ctx, &list, client.InNamespace(g.in.Namespace)); err != nil {
		g.unreadable("ClusterCapacity", "", err)
		return
	}
	for i := range list.Items {
		g.in.Capacities = append(g.in.Capacities, diagnosis.Capacity{Name: list.Items[i].Name, Conditions: list.Items[i].Status.Conditions})
	}
}
