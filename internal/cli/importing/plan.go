package importing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"

	"github.com/fedctl/fedctl/internal/exported"
	fedctlv1alpha1 "github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
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
	progress progress

	// reach is what of this host is the control plane's, and configs are its types.
	reach   exported.Reach
	configs []fedcorev1beta1.FederatedTypeConfig
	// allowance is what the export may hold, with its types.
	allowance allowance
	// keys are all objects of the export, by kind.
	keys map[schema.GroupKind]map[types.NamespacedName]bool
	// there are the objects of this host of the kinds that were listed.
	there map[schema.GroupKind]map[types.NamespacedName]bool
	// clusters are the UIDs of KubeFedClusters on this host.
	clusters map[string]types.UID
	// awaits are those of them that have not joined this host yet.
	awaits map[string]bool
	// byPlugin are those of the export whose tokens a credential plugin gives.
	byPlugin []string
	// begun says that somebody has begun a federation here: objects of one are here.
	begun bool

	// mu guards what follows: objects are looked at, and written, several at a time.
	mu sync.Mutex
	// changed are objects that differ, and other those that are not in the export.
	changed, other few
	// unserved are the kinds that the host does not come to serve.
	unserved map[schema.GroupKind]bool
	// settled are the federated objects that are here as the export has them, with all that is
	// recorded of them: nobody asks about them again.
	settled map[schema.GroupKind]map[types.NamespacedName]bool
}

func newImporting(o *Options, dir string, host client.Client, contents *exported.Contents) *importing {
	return &importing{
		options: o, dir: dir, host: host, contents: contents, report: newReport(o, contents),
		unserved: map[schema.GroupKind]bool{}, there: map[schema.GroupKind]map[types.NamespacedName]bool{},
		settled: map[schema.GroupKind]map[types.NamespacedName]bool{},
	}
}

// few names the first of some objects.
type few struct {
	names []string
	count int
}

// mostNamed is how many of few are named.
const mostNamed = 3

func (f *few) add(name string) {
	if f.count++; len(f.names) < mostNamed {
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
	i.progress.begin("looking at the host, and at what is in the export", 0)
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
	i.noteTypes()
	return i.planAll(ctx)
}

func (i *importing) planAll(ctx context.Context) error {
	var faults []error
	i.progress.begin("looking at objects", i.contents.Objects)
	err := i.each(ctx, func(ctx context.Context, u *unstructured.Unstructured) error {
		fault, err := i.planOne(ctx, u)
		if fault != nil {
			i.mu.Lock()
			defer i.mu.Unlock()
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

// readExport notes what the export holds, and refuses what no export does.
func (i *importing) readExport() (err error) {
	if i.allowance, err = i.readAllowance(); err != nil {
		return err
	}
	i.keys = map[schema.GroupKind]map[types.NamespacedName]bool{}
	return i.inOrder(func(u *unstructured.Unstructured) error {
		gk, key := u.GroupVersionKind().GroupKind(), client.ObjectKeyFromObject(u)
		if why := i.allowance.refuses(u); why != "" {
			return fmt.Errorf("the export holds %s, which fedctl export does not write: %s", serverapply.Describe(u), why)
		}
		if i.keys[gk] == nil {
			i.keys[gk] = map[types.NamespacedName]bool{}
		}
		if i.keys[gk][key] {
			return fmt.Errorf("the export holds %s twice", serverapply.Describe(u))
		}
		i.keys[gk][key] = true
		if u.GroupVersionKind() == exported.Cluster && u.GetAnnotations()[reach.CredentialPluginAnnotation] != "" {
			i.byPlugin = append(i.byPlugin, u.GetName())
		}
		return nil
	})
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
	kinds := []listed{
		{exported.Cluster, true},
		{policyv1alpha1.GroupVersion.WithKind("ClusterOverridePolicy"), false}, {policyv1alpha1.GroupVersion.WithKind("OverridePolicy"), true},
		{fedctlv1alpha1.GroupVersion.WithKind("WorkloadKind"), false},
		{fedschedulingv1alpha1.SchemeGroupVersion.WithKind("ReplicaSchedulingPreference"), true},
	}
	for _, t := range i.allowance.types {
		kinds = append(kinds, listed{t.Federated.GVK, t.Federated.Namespaced})
	}
	for n := range i.configs {
		t, err := typeconfig.FromFederatedTypeConfig(&i.configs[n])
		if _, known := i.allowance.federated[t.Federated.GVK.GroupKind()]; err == nil && !known {
			kinds = append(kinds, listed{t.Federated.GVK, t.Federated.Namespaced})
		}
	}
	for _, kind := range kinds {
		if err := i.findOthersOf(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

// listed is a kind of which all objects are listed.
type listed struct {
	schema.GroupVersionKind

	namespaced bool
}

const pageSize = 500

func (i *importing) findOthersOf(ctx context.Context, kind listed) error {
	gk, there := kind.GroupKind(), map[types.NamespacedName]bool{}
	namespace, own := i.reach.Of(kind.GroupVersionKind, kind.namespaced)
	if !own {
		return nil
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	for more := true; more; more = list.Continue != "" {
		err := i.host.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(list.Continue))
		if meta.IsNoMatchError(err) {
			break // none of a kind that is not known here
		} else if err != nil {
			return fmt.Errorf("reading %s objects: %w", kind.Kind, err)
		}
		for n := range list.Items {
			key := client.ObjectKeyFromObject(&list.Items[n])
			i.begun, there[key] = true, true
			if !i.keys[gk][key] {
				i.other.add(kind.Kind + " " + strings.TrimPrefix(key.String(), "/"))
			}
		}
	}
	i.there[gk] = there
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
func (i *importing) noteTypes() {
	for n := range i.configs {
		name := i.configs[n].Name
		if !slices.ContainsFunc(i.allowance.types, func(t typeconfig.Type) bool { return t.Name == name }) {
			i.report.Notes = append(i.report.Notes, fmt.Sprintf("the type %s is enabled here and was not on the host of the export: before the members join, which gives the rights to it, end that with fedctl disable %s", name, name))
		}
	}
}

// planOne says what is to become of an object. fault is what is in the way of all.
func (i *importing) planOne(ctx context.Context, u *unstructured.Unstructured) (fault, err error) {
	kind := u.GetKind()
	i.report.count(kind, nothing) // in the order of the export
	s, found, err := i.look(ctx, u)
	if err != nil {
		if found != nil {
			return err, nil
		}
		return nil, err
	}
	switch {
	case u.GroupVersionKind() == exported.Config && found != nil && scopeOf(u) != scopeOf(found):
		return fmt.Errorf("the export is of a control plane of scope %s, and this one has the scope %s, which cannot be changed: install it with --scope %s", scopeOf(u), scopeOf(found), scopeOf(u)), nil
	case found != nil && isOther(u, found):
		return fmt.Errorf("KubeFedCluster %s of this host is another cluster than that of the export: unjoin it first, or join it by another name", u.GetName()), nil
	case s == missing:
		if i.options.DryRun {
			return nil, i.ask(ctx, u)
		}
	case s == different && i.isSetting(u):
		if i.options.DryRun {
			return nil, i.askUpdate(ctx, u, found)
		}
	case s == different && i.options.Existing == "":
		i.mu.Lock()
		defer i.mu.Unlock()
		i.changed.add(kind + " " + strings.TrimPrefix(client.ObjectKeyFromObject(u).String(), "/"))
	case !i.options.DryRun: // what is done is counted then
		if s == same && i.isFederated(u) && (!exported.HasRecords(u) || exported.HasRecords(found)) {
			i.settle(u)
		}
	case s != different:
		i.report.count(kind, unchanged)
	case i.options.Existing == update:
		return nil, i.askUpdate(ctx, u, found)
	default:
		i.report.count(kind, kept)
	}
	return nil, nil
}

func (i *importing) settle(u *unstructured.Unstructured) {
	i.mu.Lock()
	defer i.mu.Unlock()
	gk := u.GroupVersionKind().GroupKind()
	if i.settled[gk] == nil {
		i.settled[gk] = map[types.NamespacedName]bool{}
	}
	i.settled[gk][client.ObjectKeyFromObject(u)] = true
}

func (i *importing) isSettled(u *unstructured.Unstructured) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.settled[u.GroupVersionKind().GroupKind()][client.ObjectKeyFromObject(u)]
}

func scopeOf(config *unstructured.Unstructured) apiextensionsv1.ResourceScope {
	scope, _, _ := unstructured.NestedString(config.Object, "spec", "scope")
	return cmp.Or(apiextensionsv1.ResourceScope(scope), apiextensionsv1.ClusterScoped)
}

// isSetting says whether an object is one that an installation has made, and nobody else has
// done anything since, so that it becomes what it was on the host of the export.
func (i *importing) isSetting(u *unstructured.Unstructured) bool {
	return i.options.Existing == "" && !i.begun && slices.Contains(settings, u.GroupVersionKind())
}

// ask asks the host whether it would take an object. What depends on others that are to be
// created as well cannot be asked.
func (i *importing) ask(ctx context.Context, u *unstructured.Unstructured) error {
	err := i.host.Create(ctx, i.ready(u), client.DryRunAll)
	unknown := meta.IsNoMatchError(err) && !i.isFederated(u)
	if err == nil || !unknown && (apierrors.IsNotFound(err) || meta.IsNoMatchError(err)) {
		i.report.count(u.GetKind(), created)
		return nil
	}
	return i.refused(ctx, u, err)
}

// askUpdate asks the host whether it would let an object become what the export says.
func (i *importing) askUpdate(ctx context.Context, u, found *unstructured.Unstructured) error {
	if err := i.host.Update(ctx, become(u, found), client.DryRunAll); err != nil {
		return i.refused(ctx, u, err)
	}
	i.report.count(u.GetKind(), updated)
	return nil
}

// refused notes what the host would not take; what is none of the object's ends the import.
func (i *importing) refused(ctx context.Context, u *unstructured.Unstructured, err error) error {
	if ends(ctx, err) {
		return err
	}
	i.report.fail(u.GetKind(), "%s: %v", serverapply.Describe(u), err)
	return nil
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
