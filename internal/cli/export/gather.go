package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/exported"
	fedctlv1alpha1 "github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// gathering is an export under way.
type gathering struct {
	factory *cmdutil.Factory
	host    client.Client
	secrets string
	now     time.Time

	folder   *exported.Folder
	contents *exported.Contents
	types    []typeconfig.Type
	reach    exported.Reach
	// namespaces are those that hold something that is exported, and defined the kinds that
	// the host has a CustomResourceDefinition of.
	namespaces map[string]bool
	defined    map[schema.GroupKind]bool
	// read are the objects that were read, and reading the kind that is.
	read    atomic.Int64
	reading atomic.Pointer[string]
}

// said is what the export is at.
func (g *gathering) said() string {
	if kind := g.reading.Load(); kind != nil {
		return fmt.Sprintf("reading %s objects: %d of all kinds are read", *kind, g.read.Load())
	}
	return "looking at what there is to export"
}

// begin finds out what there is, and refuses what cannot be exported as it was asked for,
// before anything is written.
func (g *gathering) begin(ctx context.Context) error {
	g.namespaces, g.defined = map[string]bool{}, map[schema.GroupKind]bool{exported.Definition.GroupKind(): true, exported.Namespace.GroupKind(): true}
	g.contents.Namespace = g.factory.KubeFedNamespace
	var system corev1.Namespace
	if err := g.host.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, &system); err != nil {
		return fmt.Errorf("reading the identity of the host: %w", err)
	}
	g.contents.Host = string(system.UID)
	if err := g.readTypes(ctx); err != nil {
		return err
	}
	var config fedcorev1beta1.KubeFedConfig
	err := g.host.Get(ctx, client.ObjectKey{Namespace: g.factory.KubeFedNamespace, Name: kubefedconfig.Name}, &config)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading the KubeFedConfig: %w", err)
	}
	g.reach = exported.Reach{Plane: g.factory.KubeFedNamespace, Namespaced: config.Spec.Scope == apiextensionsv1.NamespaceScoped}
	return g.checkSecrets(ctx)
}

// readTypes refuses a type that cannot be read: its objects would be missing.
func (g *gathering) readTypes(ctx context.Context) error {
	var configs fedcorev1beta1.FederatedTypeConfigList
	err := g.host.List(ctx, &configs, client.InNamespace(g.factory.KubeFedNamespace))
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return fedtypes.ErrNoControlPlane
	case err != nil:
		return fmt.Errorf("listing FederatedTypeConfigs in namespace %s: %w", g.factory.KubeFedNamespace, err)
	}
	var faults []error
	for i := range configs.Items {
		t, err := typeconfig.FromFederatedTypeConfig(&configs.Items[i])
		if err != nil {
			faults = append(faults, err)
			continue
		}
		g.types = append(g.types, t)
		if !exported.IsFederated(t.Federated) {
			g.contents.Notes = append(g.contents.Notes, fmt.Sprintf("FederatedTypeConfig %s: objects of %s are in the export, and fedctl import refuses them, since it does not tell them from any other: a federated type has a group of its own and a kind that begins with Federated", t.Name, t.CRDName()))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("which objects are of these types is not known: mend or disable them: %w", errors.Join(faults...))
	}
	if len(g.types) == 0 {
		// An export of nothing would look like one, until it is needed.
		return fmt.Errorf("there is no FederatedTypeConfig in namespace %s, and so nothing to export: name the host with --host-cluster-context, and the control plane's namespace with --kubefed-namespace", g.factory.KubeFedNamespace)
	}
	slices.SortFunc(g.types, func(a, b typeconfig.Type) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func isSecret(t *typeconfig.Type) bool {
	return t.Target.GVK.GroupKind() == schema.GroupKind{Kind: "Secret"}
}

// checkSecrets has the user say what becomes of federated Secrets, if there are any.
func (g *gathering) checkSecrets(ctx context.Context) error {
	for i := range g.types {
		t := &g.types[i]
		if !isSecret(t) {
			continue
		}
		first, err := g.first(ctx, t.Federated)
		switch {
		case apierrors.IsForbidden(err) && g.secrets == omit: // who may not read them need not
			g.contents.Secrets = exported.Omitted
			continue
		case err != nil:
			return err
		case first == "":
			continue
		case g.secrets == include:
			g.contents.Secrets = exported.Included
		case g.secrets == omit:
			g.contents.Secrets = exported.Omitted
		default:
			return fmt.Errorf("there are %s objects, such as %s, whose templates hold Secrets in clear: say --secrets=%s to have them in the export, or --secrets=%s to leave them out: then their Secrets stay in the members, and nobody looks after them any more",
				t.Federated.GVK.Kind, first, include, omit)
		}
	}
	return nil
}

// omitSecrets says of federated Secrets that were written meanwhile, of which nobody could
// say what is to become of them, that they were left out.
func (g *gathering) omitSecrets(ctx context.Context, t *typeconfig.Type) error {
	if g.contents.Secrets != exported.None {
		return nil
	}
	first, err := g.first(ctx, t.Federated)
	if err == nil && first != "" {
		g.contents.Secrets = exported.Omitted
		if g.secrets == "" {
			g.contents.Notes = append(g.contents.Notes, fmt.Sprintf("%s objects were written while the export ran, such as %s, and were left out: say --secrets=%s to have them in one", t.Federated.GVK.Kind, first, include))
		}
	}
	return err
}

// first names an object of a resource; empty where there is none.
func (g *gathering) first(ctx context.Context, r typeconfig.Resource) (name string, err error) {
	namespace, own := g.reach.Of(r.GVK, r.Namespaced)
	if !own {
		return "", nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(r.GVK.GroupVersion().WithKind(r.GVK.Kind + "List"))
	err = g.host.List(ctx, list, client.InNamespace(namespace), client.Limit(1))
	if g.none(r.GVK, err) || err == nil && len(list.Items) == 0 {
		return "", nil
	} else if err != nil {
		return "", g.explain(r.GVK, err)
	}
	return strings.TrimPrefix(client.ObjectKeyFromObject(&list.Items[0]).String(), "/"), nil
}

// write writes everything, in the order in which it is imported; only the namespaces are
// known last.
func (g *gathering) write(ctx context.Context) error {
	for _, step := range []struct {
		file string
		fill func(context.Context, *page) error
	}{
		{"01-definitions.yaml", g.definitions},
		{"02-rights.yaml", g.rights},
		{"03-types.yaml", func(ctx context.Context, p *page) error { return p.objects(ctx, exported.TypeConfig, true, portable) }},
		{"04-config.yaml", func(ctx context.Context, p *page) error { return p.objects(ctx, exported.Config, true, portable) }},
		{"06-clusters.yaml", g.clusters},
		{"07-policies.yaml", g.policies},
	} {
		if err := g.sheet(ctx, step.file, step.fill); err != nil {
			return err
		}
	}
	if err := g.federated(ctx); err != nil {
		return err
	}
	for _, step := range []struct {
		file string
		fill func(context.Context, *page) error
	}{{"09-preferences.yaml", g.preferences}, {"10-backups.yaml", g.backups}, {"05-namespaces.yaml", g.ownNamespaces}} {
		if err := g.sheet(ctx, step.file, step.fill); err != nil {
			return err
		}
	}
	slices.SortFunc(g.contents.Files, func(a, b exported.File) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// definitions writes those of federated types and of their status objects. What the types
// are of is installed by whoever has installed it here.
func (g *gathering) definitions(ctx context.Context, p *page) error {
	names := map[string]bool{}
	custom := map[string]bool{}
	for i := range g.types {
		names[g.types[i].CRDName()] = true
		custom[typeconfig.QualifiedName(g.types[i].Target.GVR.Resource, g.types[i].Target.GVR.Group)] = true
		if g.types[i].HasStatusObjects() {
			names[g.types[i].StatusObjects.CRDName()] = true
		}
	}
	found := map[string]bool{}
	g.contents.Targets = nil
	err := p.objects(ctx, exported.Definition, false, func(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		g.defined[definedBy(u)] = true
		name := u.GetName()
		if group, _, _ := unstructured.NestedString(u.Object, "spec", "group"); custom[name] && !strings.HasSuffix(group, ".fedctl.io") {
			g.contents.Targets = append(g.contents.Targets, name)
		}
		if !names[name] {
			return nil, g.noteWithoutType(ctx, p, u)
		}
		found[name] = true
		return exported.Portable(u), nil
	})
	for i := range g.types {
		if err == nil && !found[g.types[i].CRDName()] {
			p.note("FederatedTypeConfig %s: there is no CustomResourceDefinition %s, and so no object of it", g.types[i].Name, g.types[i].CRDName())
		}
	}
	return err
}

// definedBy is the kind that a CustomResourceDefinition defines.
func definedBy(definition *unstructured.Unstructured) schema.GroupKind {
	group, _, _ := unstructured.NestedString(definition.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "kind")
	return schema.GroupKind{Group: group, Kind: kind}
}

// servedIn is a version in which a CustomResourceDefinition has its objects served; empty if in none.
func servedIn(definition *unstructured.Unstructured) string {
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	for _, item := range versions {
		version, _ := item.(map[string]any)
		if name, _ := version["name"].(string); version["served"] == true {
			return name
		}
	}
	return ""
}

// noteWithoutType says of federated objects that no FederatedTypeConfig is for.
func (g *gathering) noteWithoutType(ctx context.Context, p *page, definition *unstructured.Unstructured) error {
	of, version := definedBy(definition), servedIn(definition)
	if of.Group != typeconfig.DefaultFederatedGroup || !strings.HasPrefix(of.Kind, "Federated") || strings.HasSuffix(of.Kind, "Status") || version == "" {
		return nil
	}
	scope, _, _ := unstructured.NestedString(definition.Object, "spec", "scope")
	first, err := g.first(ctx, typeconfig.Resource{GVK: of.WithVersion(version), Namespaced: scope == string(apiextensionsv1.NamespaceScoped)})
	if err == nil && first != "" {
		p.note("there are %s objects, and no FederatedTypeConfig for them: they were left out", of.Kind)
	}
	return err
}

// rights writes what lets the controller work on federated types of groups that it is not
// installed with the rights to.
func (g *gathering) rights(_ context.Context, p *page) error {
	groups := map[string]bool{}
	for i := range g.types {
		groups[g.types[i].Federated.GVR.Group] = true
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		for _, u := range enablement.Rights(group, g.factory.KubeFedNamespace) {
			if err := p.sheet.Put(u); err != nil {
				return err
			}
		}
	}
	return nil
}

// clusters writes KubeFedClusters, and what somebody has set in ClusterCapacities.
func (g *gathering) clusters(ctx context.Context, p *page) error {
	g.contents.Members = []exported.Member{}
	err := p.objects(ctx, exported.Cluster, true, func(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		endpoint, _, _ := unstructured.NestedString(u.Object, "spec", "apiEndpoint")
		annotations := u.GetAnnotations()
		g.contents.Members = append(g.contents.Members, exported.Member{
			Name: u.GetName(), Endpoint: endpoint,
			NamespaceRights: annotations[reach.NamespaceRightsAnnotation] != "", FleetAccess: annotations[reach.FleetAccessAnnotation] != "",
		})
		if annotations[reach.ClusterUIDAnnotation] == g.contents.Host {
			p.note("member %s is the host itself: on another host it is that host's member, if you join it", u.GetName())
		}
		return exported.Portable(u), nil
	})
	if err != nil {
		return err
	}
	return p.objects(ctx, exported.Capacity, true, func(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		out := exported.Portable(u)
		if !exported.WithoutPassing(out, g.now) {
			return nil, nil
		}
		return out, nil
	})
}

func (g *gathering) policies(ctx context.Context, p *page) error {
	for _, of := range []struct {
		kind       schema.GroupVersionKind
		namespaced bool
	}{
		{fedctlv1alpha1.GroupVersion.WithKind("WorkloadKind"), false},
		{policyv1alpha1.GroupVersion.WithKind("ClusterOverridePolicy"), false},
		{policyv1alpha1.GroupVersion.WithKind("OverridePolicy"), true},
	} {
		if err := p.objects(ctx, of.kind, of.namespaced, portable); err != nil {
			return err
		}
	}
	return nil
}

// federated writes a file for each type, that of namespaces first.
func (g *gathering) federated(ctx context.Context) error {
	for i := range g.types {
		t := &g.types[i]
		number := "08"
		if t.IsNamespace {
			number = "07"
		}
		name := fmt.Sprintf("%s-%s.yaml", number, t.CRDName())
		if isSecret(t) && g.secrets != include { // consent to none is none to those that come meanwhile
			if err := g.omitSecrets(ctx, t); err != nil {
				return err
			}
			continue
		}
		err := g.sheet(ctx, name, func(ctx context.Context, p *page) error {
			return p.objects(ctx, t.Federated.GVK, t.Federated.Namespaced, func(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
				out := exported.Portable(u)
				if isSecret(t) {
					g.contents.Secrets = exported.Included
				}
				exported.Record(t.Target.GVK.GroupKind(), out, u)
				return out, nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *gathering) preferences(ctx context.Context, p *page) error {
	return p.objects(ctx, fedschedulingv1alpha1.SchemeGroupVersion.WithKind("ReplicaSchedulingPreference"), true, portable)
}

// backups writes those of the host itself: what is in members comes from federated ones.
func (g *gathering) backups(ctx context.Context, p *page) error {
	resting := 0
	for _, kind := range []schema.GroupVersionKind{exported.Repository, exported.Backup} {
		err := p.objects(ctx, kind, true, func(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			if u.GetLabels()[federate.ManagedLabel] != "" {
				return nil, nil //nolint:nilnil // documented
			}
			out := exported.Portable(u)
			resting++
			return out, exported.Rest(out)
		})
		if err != nil {
			return err
		}
	}
	if resting > 0 {
		p.note("%d Backup and BackupRepository object(s) are of the host itself: they are suspended and read-only in the export, because their data is this host's", resting)
	}
	return nil
}

// everywhere are the namespaces that every cluster has.
var everywhere = []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease}

// ownNamespaces writes the namespaces of what was written, but for those that every cluster has.
func (g *gathering) ownNamespaces(ctx context.Context, p *page) error {
	for _, name := range slices.Sorted(maps.Keys(g.namespaces)) {
		if name == g.factory.KubeFedNamespace || slices.Contains(everywhere, name) {
			continue
		}
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(exported.Namespace)
		err := g.host.Get(ctx, client.ObjectKey{Name: name}, u)
		switch {
		case apierrors.IsNotFound(err):
			p.note("namespace %s was deleted meanwhile", name)
			continue
		case err != nil:
			return fmt.Errorf("reading Namespace %s: %w", name, err)
		case u.GetDeletionTimestamp() != nil:
			p.note("namespace %s is being deleted; what it holds is in the export as it was found", name)
		}
		if err := p.sheet.Put(exported.Portable(u)); err != nil {
			return err
		}
	}
	return nil
}
