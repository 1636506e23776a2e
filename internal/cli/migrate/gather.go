package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/migrate/analysis"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// pageSize is how many objects are read at a time.
const pageSize = 500

// gatherer reads the host cluster. It can only read: it has no writing client.
type gatherer struct {
	host      client.Reader
	discovery discovery.DiscoveryInterface
	namespace string

	mu sync.Mutex // guards input.Unreadable and the maps of input
	in *analysis.Input
}

func newGatherer(f *cmdutil.Factory) (*gatherer, error) {
	config, err := f.HostConfig()
	if err != nil {
		return nil, err
	}
	host, err := f.HostClient()
	if err != nil {
		return nil, err
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &gatherer{host: host, discovery: discoverer, namespace: f.KubeFedNamespace}, nil
}

// gather reads all there is to judge. What cannot be read is noted, so that the
// report says so; the error is for a host that is none.
func (g *gatherer) gather(ctx context.Context) (*analysis.Input, error) {
	g.in = &analysis.Input{
		Namespace: g.namespace, Now: time.Now(),
		Secrets: map[string]*corev1.Secret{}, Objects: map[string]*analysis.Objects{}, Counts: map[string]int{},
	}
	if err := g.namespaceExists(ctx); err != nil {
		return nil, err
	}
	if err := g.types(ctx); err != nil {
		return nil, err
	}
	if err := g.served(); err != nil {
		return nil, err
	}
	g.clusters(ctx)
	g.crds(ctx)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(6)
	for _, read := range []func(context.Context){g.secrets, g.config, g.counts, g.running} {
		group.Go(func() error { read(groupCtx); return nil })
	}
	for i := range g.in.CRDs {
		group.Go(func() error { g.objects(groupCtx, &g.in.CRDs[i]); return nil })
	}
	_ = group.Wait()
	slices.Sort(g.in.Unreadable)
	return g.in, ctx.Err()
}

// unreadable notes an error; not found is an answer, not an error.
func (g *gatherer) unreadable(what string, err error) {
	if err == nil || apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in.Unreadable = append(g.in.Unreadable, fmt.Sprintf("reading %s: %v", what, err))
}

func (g *gatherer) namespaceExists(ctx context.Context) error {
	err := g.host.Get(ctx, client.ObjectKey{Name: g.namespace}, &corev1.Namespace{})
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("the host cluster has no namespace %s: choose the host with --host-cluster-context, or KubeFed's namespace with --kubefed-namespace", g.namespace)
	case err != nil && !apierrors.IsForbidden(err):
		return fmt.Errorf("reading namespace %s: %w", g.namespace, err)
	}
	return nil
}

func (g *gatherer) types(ctx context.Context) error {
	var list fedcorev1beta1.FederatedTypeConfigList
	err := g.host.List(ctx, &list, client.InNamespace(g.namespace))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("the host cluster does not know FederatedTypeConfigs, so KubeFed never ran there: choose another one with --host-cluster-context")
	}
	if err != nil {
		return fmt.Errorf("listing FederatedTypeConfigs in namespace %s: %w", g.namespace, err)
	}
	g.in.Types = list.Items
	slices.SortFunc(g.in.Types, func(x, y fedcorev1beta1.FederatedTypeConfig) int { return strings.Compare(x.Name, y.Name) })
	return nil
}

func (g *gatherer) clusters(ctx context.Context) {
	var list fedcorev1beta1.KubeFedClusterList
	g.unreadable("KubeFedClusters in namespace "+g.namespace, g.host.List(ctx, &list, client.InNamespace(g.namespace)))
	g.in.Clusters = list.Items
	slices.SortFunc(g.in.Clusters, func(x, y fedcorev1beta1.KubeFedCluster) int { return strings.Compare(x.Name, y.Name) })
}

// served asks what the API server serves. Groups that do not answer are noted.
func (g *gatherer) served() error {
	g.in.Served = analysis.Served{Kinds: map[schema.GroupVersionKind]bool{}, Incomplete: map[string]bool{}}
	_, lists, err := g.discovery.ServerGroupsAndResources()
	if failed, ok := discovery.GroupDiscoveryFailedErrorGroups(err); ok {
		for gv := range failed {
			g.in.Served.Incomplete[gv.Group] = true
		}
	} else if err != nil {
		return fmt.Errorf("reading the types of the host cluster: %w", err)
	}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for i := range list.APIResources {
			if !strings.Contains(list.APIResources[i].Name, "/") {
				g.in.Served.Kinds[gv.WithKind(list.APIResources[i].Kind)] = true
			}
		}
	}
	return nil
}

// crds reads the definitions of the federated types.
func (g *gatherer) crds(ctx context.Context) {
	named := map[string]bool{}
	for i := range g.in.Types {
		federated := typeconfig.WithDefaults(&g.in.Types[i]).Spec.FederatedType
		named[federated.PluralName+"."+federated.Group] = true
	}
	var list apiextensionsv1.CustomResourceDefinitionList
	if err := g.host.List(ctx, &list); err != nil {
		g.unreadable("CustomResourceDefinitions", err)
		return
	}
	for i := range list.Items {
		crd := &list.Items[i]
		isFederated := crd.Spec.Group == typeconfig.DefaultFederatedGroup && strings.HasPrefix(crd.Spec.Names.Kind, "Federated")
		if named[crd.Name] || isFederated {
			g.in.CRDs = append(g.in.CRDs, describe(crd))
		}
	}
}

func describe(crd *apiextensionsv1.CustomResourceDefinition) analysis.CRD {
	out := analysis.CRD{
		Name: crd.Name, Group: crd.Spec.Group, Plural: crd.Spec.Names.Plural, Kind: crd.Spec.Names.Kind,
		Namespaced: crd.Spec.Scope == apiextensionsv1.NamespaceScoped, Deleting: crd.DeletionTimestamp != nil,
	}
	for _, version := range crd.Spec.Versions {
		if !version.Served || (out.Version != "" && !version.Storage) {
			continue
		}
		out.Version = version.Name
		out.KnowsTemplate = definition.KnowsTemplate(crd, version.Name)
	}
	return out
}

// objects judges all objects of a federated type, page by page.
func (g *gatherer) objects(ctx context.Context, crd *analysis.CRD) {
	if crd.Version == "" {
		return
	}
	names := make([]string, len(g.in.Clusters))
	for i := range g.in.Clusters {
		names[i] = g.in.Clusters[i].Name
	}
	target := g.target(crd)
	found := analysis.NewObjects(crd.Name, target, names, g.in.Served, g.in.Now)
	if target != nil {
		found.Judge(g.published(target.GVK))
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: crd.Group, Version: crd.Version, Kind: crd.Kind + "List"})
	for more := true; more; more = list.GetContinue() != "" {
		if err := g.host.List(ctx, list, client.Limit(pageSize), client.Continue(list.GetContinue())); err != nil {
			g.unreadable(crd.Name, err)
			break
		}
		for i := range list.Items {
			found.Add(&list.Items[i])
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in.Objects[crd.Name] = found
}

// published is what the host publishes of a kind. What it does not is not judged.
func (g *gatherer) published(gvk schema.GroupVersionKind) *definition.Published {
	definitions, err := enablement.FetchDefinitions(g.discovery.OpenAPIV3(), gvk.GroupVersion())
	if err != nil {
		g.unreadable("the schema of "+gvk.String(), err)
	}
	return definition.PublishedOf(definitions, gvk)
}

// target is what a federated type federates; nil if nothing says so.
func (g *gatherer) target(crd *analysis.CRD) *federate.Target {
	for i := range g.in.Types {
		t, err := typeconfig.FromFederatedTypeConfig(&g.in.Types[i])
		if err == nil && t.CRDName() == crd.Name {
			target := t.RenderTarget()
			return &target
		}
	}
	return nil
}

// count counts objects in pages of metadata; a type that is not served has none.
func (g *gatherer) count(ctx context.Context, gvk schema.GroupVersionKind, plural string) {
	var page metav1.PartialObjectMetadataList
	page.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	n := 0
	for more := true; more; more = page.Continue != "" {
		if err := g.host.List(ctx, &page, client.Limit(pageSize), client.Continue(page.Continue)); err != nil {
			g.unreadable(plural, err)
			return
		}
		n += len(page.Items)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in.Counts[plural] = n
}
