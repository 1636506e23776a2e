package importing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/exported"
	fedctlv1alpha1 "github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/serverapply"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// importing is an import under way.
type importing struct {
	options  *Options
	dir      string
	host     client.Client
	contents *exported.Contents
	report   *Report

	// types are those of the export, federated the kinds of their objects, and definitions
	// the names of their CustomResourceDefinitions.
	types       []typeconfig.Type
	federated   map[schema.GroupKind]bool
	definitions map[string]bool
	// keys are all objects of the export, by kind.
	keys map[schema.GroupKind]map[types.NamespacedName]bool
	// clusters are the UIDs of KubeFedClusters on this host.
	clusters map[string]types.UID
	// awaits are those of them that have not joined this host yet.
	awaits map[string]bool
	// changed are objects that differ, and other those that are not in the export.
	changed, other few
	// unserved are the kinds that the host does not come to serve.
	unserved map[schema.GroupKind]bool
	// begun says that somebody has begun a federation here: objects of one are here.
	begun bool
}

// few names the first of some objects.
type few struct {
	names []string
	count int
}

func (f *few) add(name string) {
	if f.count++; len(f.names) < 3 {
		f.names = append(f.names, name)
	}
}

func (f *few) String() string {
	text := strings.Join(f.names, ", ")
	if more := f.count - len(f.names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// plan looks at everything, and writes nothing.
func (i *importing) plan(ctx context.Context) error {
	if err := i.checkHost(ctx); err != nil {
		return err
	}
	if err := i.readExport(); err != nil {
		return err
	}
	if err := i.readClusters(ctx); err != nil {
		return err
	}
	if err := i.findOthers(ctx); err != nil {
		return err
	}
	i.noteHost(ctx)
	i.noteTargets(ctx)
	if err := i.noteTypes(ctx); err != nil {
		return err
	}
	var faults []error
	err := i.each(func(u *unstructured.Unstructured) error {
		fault, err := i.planOne(ctx, u)
		if fault != nil {
			faults = append(faults, fault)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(faults) > mostSaid {
		faults = append(faults[:mostSaid], errors.New("and more"))
	}
	return errors.Join(faults...)
}

// each calls visit with all objects of the export, in order.
func (i *importing) each(visit func(*unstructured.Unstructured) error) error {
	for n := range i.contents.Files {
		if err := i.contents.Files[n].Each(i.dir, visit); err != nil {
			return err
		}
	}
	return nil
}

// checkHost refuses a host that has no control plane, or one that is at work.
func (i *importing) checkHost(ctx context.Context) error {
	namespace := i.options.factory.KubeFedNamespace
	if i.contents.Namespace != namespace {
		return fmt.Errorf("the export is of a control plane in namespace %s: name it with --kubefed-namespace, and install it there", i.contents.Namespace)
	}
	var configs fedcorev1beta1.FederatedTypeConfigList
	err := i.host.List(ctx, &configs, client.InNamespace(namespace), client.Limit(1))
	if err == nil {
		err = i.host.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
	}
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return fmt.Errorf("this host has no control plane in namespace %s: run \"fedctl install --without-controller\" first", namespace)
	case err != nil:
		return fmt.Errorf("reading the control plane in namespace %s: %w", namespace, err)
	}
	leads, err := i.leads(ctx)
	if err != nil || !leads {
		return err
	}
	return fmt.Errorf("the controller of this host is at work, and would take what it does not find yet for deleted: stop it, and start it again when the members have joined:\n  %s scale deployment %s --replicas 0", i.options.factory.Kubectl(), kubefedconfig.Controller)
}

// leads says whether a controller leads.
func (i *importing) leads(ctx context.Context) (bool, error) {
	namespace := i.options.factory.KubeFedNamespace
	err := i.host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: kubefedconfig.Controller}, &coordinationv1.Lease{})
	if apierrors.IsNotFound(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("finding out whether a controller leads: %w", err)
	}
	return cmdutil.Leaderless(ctx, i.host, namespace) == nil, ctx.Err()
}

// readExport notes what the export holds, and refuses what no export does.
func (i *importing) readExport() error {
	i.federated, i.definitions, i.keys = map[schema.GroupKind]bool{}, map[string]bool{}, map[schema.GroupKind]map[types.NamespacedName]bool{}
	err := i.each(func(u *unstructured.Unstructured) error {
		if u.GroupVersionKind() == exported.TypeConfig {
			return i.readType(u)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return i.each(func(u *unstructured.Unstructured) error {
		gk := u.GroupVersionKind().GroupKind()
		if !i.allowed(u) {
			return fmt.Errorf("the export holds %s, which fedctl export does not write", serverapply.Describe(u))
		}
		if i.keys[gk] == nil {
			i.keys[gk] = map[types.NamespacedName]bool{}
		}
		i.keys[gk][client.ObjectKeyFromObject(u)] = true
		return nil
	})
}

func (i *importing) readType(u *unstructured.Unstructured) error {
	config := &fedcorev1beta1.FederatedTypeConfig{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, config); err != nil {
		return fmt.Errorf("%s: %w", serverapply.Describe(u), err)
	}
	t, err := typeconfig.FromFederatedTypeConfig(config)
	if err != nil {
		return err
	}
	i.types = append(i.types, t)
	i.federated[t.Federated.GVK.GroupKind()], i.definitions[t.CRDName()] = true, true
	if t.HasStatusObjects() {
		i.definitions[t.StatusObjects.CRDName()] = true
	}
	return nil
}

func (i *importing) readClusters(ctx context.Context) error {
	var list fedcorev1beta1.KubeFedClusterList
	if err := i.host.List(ctx, &list, client.InNamespace(i.options.factory.KubeFedNamespace)); err != nil {
		return fmt.Errorf("listing KubeFedClusters: %w", err)
	}
	i.clusters, i.awaits = map[string]types.UID{}, map[string]bool{}
	for n := range list.Items {
		i.clusters[list.Items[n].Name] = list.Items[n].UID
		i.awaits[list.Items[n].Name] = reach.AwaitsJoin(&list.Items[n])
	}
	return nil
}

// findOthers looks for objects of a federation on this host that are not in the export.
func (i *importing) findOthers(ctx context.Context) error {
	kinds := []schema.GroupVersionKind{
		exported.Cluster,
		policyv1alpha1.GroupVersion.WithKind("ClusterOverridePolicy"), policyv1alpha1.GroupVersion.WithKind("OverridePolicy"),
		fedctlv1alpha1.GroupVersion.WithKind("WorkloadKind"),
		fedschedulingv1alpha1.SchemeGroupVersion.WithKind("ReplicaSchedulingPreference"),
	}
	for n := range i.types {
		kinds = append(kinds, i.types[n].Federated.GVK)
	}
	var configs fedcorev1beta1.FederatedTypeConfigList
	if err := i.host.List(ctx, &configs, client.InNamespace(i.options.factory.KubeFedNamespace)); err != nil {
		return fmt.Errorf("listing FederatedTypeConfigs: %w", err)
	}
	for n := range configs.Items {
		if t, err := typeconfig.FromFederatedTypeConfig(&configs.Items[n]); err == nil && !i.federated[t.Federated.GVK.GroupKind()] {
			kinds = append(kinds, t.Federated.GVK)
		}
	}
	for _, kind := range kinds {
		if err := i.findOthersOf(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

const pageSize = 500

func (i *importing) findOthersOf(ctx context.Context, kind schema.GroupVersionKind) error {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	for more := true; more; more = list.Continue != "" {
		err := i.host.List(ctx, list, client.Limit(pageSize), client.Continue(list.Continue))
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading %s objects: %w", kind.Kind, err)
		}
		for n := range list.Items {
			i.begun = true
			if key := client.ObjectKeyFromObject(&list.Items[n]); !i.keys[kind.GroupKind()][key] {
				i.other.add(kind.Kind + " " + strings.TrimPrefix(key.String(), "/"))
			}
		}
	}
	return nil
}

// noteHost says that the host is the one that the export is of, which is where a command
// works that names none.
func (i *importing) noteHost(ctx context.Context) {
	var system corev1.Namespace
	if err := i.host.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, &system); err == nil && string(system.UID) == i.contents.Host {
		i.report.Notes = append(i.report.Notes, "this host is the one that the export is of: to move the federation, name the other one with --host-cluster-context")
	}
}

// noteTargets says of which types nobody has installed the definition here.
func (i *importing) noteTargets(ctx context.Context) {
	for _, name := range i.contents.Targets {
		u := &metav1.PartialObjectMetadata{}
		u.SetGroupVersionKind(exported.Definition)
		if err := i.host.Get(ctx, client.ObjectKey{Name: name}, u); apierrors.IsNotFound(err) {
			i.report.Notes = append(i.report.Notes, fmt.Sprintf("the type %s is not installed on this host: what is federated of it is imported, and goes to the members as before; install its definition to have templates checked again, then fedctl enable %s", name, name))
		}
	}
}

// noteTypes says which types are enabled here, and were not on the host of the export.
func (i *importing) noteTypes(ctx context.Context) error {
	var configs fedcorev1beta1.FederatedTypeConfigList
	if err := i.host.List(ctx, &configs, client.InNamespace(i.options.factory.KubeFedNamespace)); err != nil {
		return fmt.Errorf("listing FederatedTypeConfigs: %w", err)
	}
	for n := range configs.Items {
		name := configs.Items[n].Name
		if !slices.ContainsFunc(i.types, func(t typeconfig.Type) bool { return t.Name == name }) {
			i.report.Notes = append(i.report.Notes, fmt.Sprintf("the type %s is enabled here and was not on the host of the export: before the members join, which gives the rights to it, end that with fedctl disable %s", name, name))
		}
	}
	return nil
}

// planOne says what is to become of an object. fault is what is in the way of all.
func (i *importing) planOne(ctx context.Context, u *unstructured.Unstructured) (fault, err error) {
	s, found, err := i.look(ctx, u)
	if err != nil {
		if found != nil {
			return err, nil
		}
		return nil, err
	}
	kind := u.GetKind()
	i.report.of(kind) // in the order of the export
	switch {
	case u.GroupVersionKind() == exported.Config && found != nil && scopeOf(u) != scopeOf(found):
		return fmt.Errorf("the export is of a control plane of scope %s, and this one has the scope %s, which cannot be changed: install it with --scope %s", scopeOf(u), scopeOf(found), scopeOf(u)), nil
	case found != nil && isOther(u, found):
		return fmt.Errorf("KubeFedCluster %s of this host is another cluster than that of the export: unjoin it first, or join it by another name", u.GetName()), nil
	case s == missing:
		if i.options.DryRun {
			i.ask(ctx, u)
		}
	case s == different && i.isSetting(u):
		if i.options.DryRun {
			i.askUpdate(ctx, u, found)
		}
	case s == different && i.options.Existing == "":
		i.changed.add(kind + " " + strings.TrimPrefix(client.ObjectKeyFromObject(u).String(), "/"))
	case !i.options.DryRun: // what is done is counted then
	case s != different:
		i.report.of(kind).Unchanged++
	case i.options.Existing == update:
		i.askUpdate(ctx, u, found)
	default:
		i.report.of(kind).Kept++
	}
	return nil, nil
}

func scopeOf(config *unstructured.Unstructured) string {
	scope, _, _ := unstructured.NestedString(config.Object, "spec", "scope")
	return cmp.Or(scope, string(apiextensionsv1.ClusterScoped))
}

// isSetting says whether an object is one that an installation has made, and nobody else has
// done anything since, so that it becomes what it was on the host of the export.
func (i *importing) isSetting(u *unstructured.Unstructured) bool {
	return i.options.Existing == "" && !i.begun && slices.Contains(settings, u.GroupVersionKind())
}

// ask asks the host whether it would take an object. What depends on others that are to be
// created as well cannot be asked.
func (i *importing) ask(ctx context.Context, u *unstructured.Unstructured) {
	err := i.host.Create(ctx, i.ready(u), client.DryRunAll)
	unknown := meta.IsNoMatchError(err) && !i.federated[u.GroupVersionKind().GroupKind()]
	if err == nil || !unknown && (apierrors.IsNotFound(err) || meta.IsNoMatchError(err)) {
		i.report.of(u.GetKind()).Created++
		return
	}
	i.report.fail(u.GetKind(), "%s: %v", serverapply.Describe(u), err)
}

// askUpdate asks the host whether it would let an object become what the export says.
func (i *importing) askUpdate(ctx context.Context, u, found *unstructured.Unstructured) {
	if err := i.host.Update(ctx, become(u, found), client.DryRunAll); err != nil {
		i.report.fail(u.GetKind(), "%s: %v", serverapply.Describe(u), err)
		return
	}
	i.report.of(u.GetKind()).Updated++
}

// refusal says why nothing is imported, if there is a reason.
func (i *importing) refusal() error {
	if i.options.Existing != "" {
		return nil
	}
	if i.other.count > 0 {
		i.report.Refused = append(i.report.Refused, fmt.Sprintf("this host has a federation with %d object(s) that are not in the export: %s", i.other.count, &i.other))
	}
	if i.changed.count > 0 {
		i.report.Refused = append(i.report.Refused, fmt.Sprintf("%d object(s) of this host differ from the export: %s", i.changed.count, &i.changed))
	}
	if len(i.report.Refused) == 0 {
		return nil
	}
	return fmt.Errorf("nothing was imported: %s. Is it the right host? With --existing=keep those that differ stay as they are here, with --existing=update they become what the export says; nothing is deleted", strings.Join(i.report.Refused, "; "))
}
