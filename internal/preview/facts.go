package preview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/accelerator"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	fedctlv1alpha1 "github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/policy"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/workload"
)

// The kinds that are facts, each with its API version: those of the control plane's
// namespace, and policies.
var (
	factKinds = []schema.GroupVersionKind{
		fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedConfig"),
		fedcorev1beta1.SchemeGroupVersion.WithKind("FederatedTypeConfig"),
		fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"),
	}
	workloadKind = fedctlv1alpha1.GroupVersion.WithKind("WorkloadKind")
	capacityKind = clusterv1alpha1.GroupVersion.WithKind("ClusterCapacity")
	policyKinds  = []schema.GroupVersionKind{
		policyv1alpha1.GroupVersion.WithKind(policy.KindClusterOverridePolicy),
		policyv1alpha1.GroupVersion.WithKind(policy.KindOverridePolicy),
	}
)

// Facts are what the host cluster holds beside a federated object, as far as it decides
// where the object goes and what it becomes.
type Facts struct {
	// Objects are the facts as they are written to a file: KubeFedConfig,
	// FederatedTypeConfigs, KubeFedClusters, ClusterCapacities, WorkloadKinds,
	// policies and FederatedNamespaces, without what decides nothing.
	Objects []*unstructured.Unstructured

	// Types are the enabled types, sorted by name; Warnings say which cannot be read.
	Types    []typeconfig.Type
	Warnings []string

	clusters   []fedcorev1beta1.KubeFedCluster
	capacities map[string]*clusterv1alpha1.ClusterCapacity
	policies   []*policy.Policy
	fleet      *policy.Fleet
	kinds      *workload.Kinds
	namespaces map[string]*unstructured.Unstructured
	// namespacesFederated says whether the type namespaces is enabled.
	namespacesFederated bool
	kubeFedNamespace    string
	// limitedTo is the only namespace that is federated; empty means all.
	limitedTo string
}

// Read reads the facts from the host cluster. The FederatedNamespaces and OverridePolicies
// are those of the namespaces that are named; all, if none is.
func Read(ctx context.Context, host client.Reader, kubeFedNamespace string, namespaces ...string) (*Facts, error) {
	var objects []*unstructured.Unstructured
	for _, gvk := range factKinds {
		found, err := list(ctx, host, gvk, kubeFedNamespace)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	for _, gvk := range append([]schema.GroupVersionKind{capacityKind, workloadKind}, policyKinds...) {
		within := []string{""}
		switch {
		case gvk == capacityKind:
			within = []string{kubeFedNamespace}
		case gvk.Kind == policy.KindOverridePolicy && len(namespaces) > 0:
			within = namespaces
		}
		for _, namespace := range within {
			found, err := list(ctx, host, gvk, namespace)
			if err != nil && !errors.Is(err, ErrNoControlPlane) { // a control plane of an earlier release has none
				return nil, err
			}
			objects = append(objects, found...)
		}
	}
	facts, err := FromObjects(objects, kubeFedNamespace)
	if err != nil || !facts.namespacesFederated {
		return facts, err
	}
	found, err := federatedNamespaces(ctx, host, facts.namespaceType(), namespaces)
	if err != nil {
		return nil, err
	}
	return FromObjects(append(objects, found...), kubeFedNamespace)
}

func list(ctx context.Context, host client.Reader, gvk schema.GroupVersionKind, namespace string) ([]*unstructured.Unstructured, error) {
	items := &unstructured.UnstructuredList{}
	items.SetGroupVersionKind(gvk)
	if err := host.List(ctx, items, client.InNamespace(namespace)); err != nil {
		if meta.IsNoMatchError(err) {
			return nil, ErrNoControlPlane
		}
		where := " in namespace " + namespace
		if namespace == "" {
			where = ""
		}
		return nil, fmt.Errorf("listing %s objects%s: %w", gvk.Kind, where, err)
	}
	objects := make([]*unstructured.Unstructured, len(items.Items))
	for i := range items.Items {
		objects[i] = &items.Items[i]
	}
	return objects, nil
}

// ErrNoControlPlane says that the host cluster does not know federated types.
var ErrNoControlPlane = errors.New("the host cluster has no control plane: run \"fedctl install\" there first, or choose the host with --host-cluster-context")

// federatedNamespaces reads those of some namespaces, each ns/ns, or all.
func federatedNamespaces(ctx context.Context, host client.Reader, t typeconfig.Type, namespaces []string) ([]*unstructured.Unstructured, error) {
	if len(namespaces) == 0 {
		return list(ctx, host, t.Federated.GVK, "")
	}
	var objects []*unstructured.Unstructured
	for _, name := range namespaces {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(t.Federated.GVK)
		err := host.Get(ctx, client.ObjectKey{Namespace: name, Name: name}, object)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s %s/%s: %w", t.Federated.GVK.Kind, name, name, err)
		}
		objects = append(objects, object)
	}
	return objects, nil
}

// FromObjects takes the facts from objects; others among them are left alone. An error
// names the object that cannot be read.
func FromObjects(objects []*unstructured.Unstructured, kubeFedNamespace string) (*Facts, error) {
	f := &Facts{
		kubeFedNamespace: kubeFedNamespace, namespaces: map[string]*unstructured.Unstructured{},
		capacities: map[string]*clusterv1alpha1.ClusterCapacity{}, kinds: workload.Builtin(),
	}
	for _, object := range objects {
		if err := f.take(object, kubeFedNamespace); err != nil {
			return nil, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	if f.limitedTo != "" { // one namespace has no say in what is for all
		f.kinds = workload.Builtin()
	}
	slices.SortFunc(f.Types, func(a, b typeconfig.Type) int { return strings.Compare(a.Name, b.Name) })
	for _, object := range objects {
		f.Adopt(object)
	}
	policy.Sort(f.policies)
	clusters := policy.Clusters{}
	for i := range f.clusters {
		name := f.clusters[i].Name
		clusters[name] = policy.ClusterOf(f.clusters[i].Labels, f.clusters[i].Status.KubernetesVersion, f.capacities[name])
	}
	f.fleet = policy.NewFleet(clusters)
	return f, nil
}

// Adopt takes a FederatedNamespace as if the host held it, in the place of one that it
// does. Other objects change nothing, nor does one of another name than its namespace's,
// which stands for none.
func (f *Facts) Adopt(object *unstructured.Unstructured) {
	if !f.namespacesFederated || object.GroupVersionKind().GroupKind() != f.namespaceType().Federated.GVK.GroupKind() || object.GetName() != object.GetNamespace() {
		return
	}
	f.namespaces[object.GetName()] = object
	f.Objects = append(f.Objects, bare(object))
}

// Under returns the facts as if the host held these policies, each in the place of one of
// its name. Objects of other kinds change nothing.
func (f *Facts) Under(objects []*unstructured.Unstructured) *Facts {
	under := *f
	under.policies = slices.Clone(f.policies)
	for _, object := range objects {
		if !IsPolicy(object) {
			continue
		}
		read, _ := policy.Read(object)
		under.policies = slices.DeleteFunc(under.policies, func(p *policy.Policy) bool { return p.Origin == read.Origin })
		under.policies = append(under.policies, read)
	}
	policy.Sort(under.policies)
	return &under
}

// IsPolicy says whether an object is a policy.
func IsPolicy(object *unstructured.Unstructured) bool {
	return slices.Contains(policyKinds, object.GroupVersionKind())
}

// TypeOf is the enabled type that an object is of.
func (f *Facts) TypeOf(object *unstructured.Unstructured) (t typeconfig.Type, federated bool) {
	return f.typeOf(object.GroupVersionKind())
}

// Namespaced says whether an object is of a federated type that lives in namespaces.
func (f *Facts) Namespaced(object *unstructured.Unstructured) bool {
	t, found := f.typeOf(object.GroupVersionKind())
	return found && t.Federated.Namespaced
}

// IsFact says whether an object is of a kind that FromObjects reads.
func IsFact(object *unstructured.Unstructured) bool {
	gvk := object.GroupVersionKind()
	return slices.Contains(factKinds, gvk) || IsPolicy(object) || gvk == capacityKind || gvk == workloadKind
}

func (f *Facts) take(object *unstructured.Unstructured, kubeFedNamespace string) error {
	if IsPolicy(object) {
		read, _ := policy.Read(object)
		f.policies = append(f.policies, read)
		f.Objects = append(f.Objects, bare(object))
		return nil
	}
	if object.GroupVersionKind() == workloadKind {
		return f.takeKind(object)
	}
	if object.GroupVersionKind() == capacityKind && object.GetNamespace() == kubeFedNamespace {
		return f.takeCapacity(object)
	}
	if object.GroupVersionKind().Group != fedcorev1beta1.SchemeGroupVersion.Group || object.GetNamespace() != kubeFedNamespace {
		return nil
	}
	converter := runtime.DefaultUnstructuredConverter
	switch object.GetKind() {
	case "KubeFedConfig":
		config := &fedcorev1beta1.KubeFedConfig{}
		if err := converter.FromUnstructured(object.Object, config); err != nil {
			return err
		}
		if config.Name == kubefedconfig.Name && config.Spec.Scope == apiextensionsv1.NamespaceScoped {
			f.limitedTo = kubeFedNamespace
		}
	case "FederatedTypeConfig":
		config := &fedcorev1beta1.FederatedTypeConfig{}
		if err := converter.FromUnstructured(object.Object, config); err != nil {
			return err
		}
		t, err := typeconfig.FromFederatedTypeConfig(config)
		if err != nil {
			f.Warnings = append(f.Warnings, err.Error())
			break
		}
		f.Types = append(f.Types, t)
		f.namespacesFederated = f.namespacesFederated || config.Name == fedcommon.NamespaceName
	case "KubeFedCluster":
		cluster := fedcorev1beta1.KubeFedCluster{}
		if err := converter.FromUnstructured(object.Object, &cluster); err != nil {
			return err
		}
		f.clusters = append(f.clusters, cluster)
	default:
		return nil
	}
	f.Objects = append(f.Objects, bare(object))
	return nil
}

// takeKind takes in a WorkloadKind; what of it cannot be carried out is no matter of what is
// rendered.
func (f *Facts) takeKind(object *unstructured.Unstructured) error {
	read := &fedctlv1alpha1.WorkloadKind{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, read); err != nil {
		return err
	}
	f.Objects = append(f.Objects, bare(object))
	kind, _ := workload.Compile(&read.Spec)
	f.kinds = f.kinds.With(kind)
	return nil
}

func (f *Facts) takeCapacity(object *unstructured.Unstructured) error {
	capacity, err := accelerator.ReadCapacity(object)
	if err != nil {
		return err
	}
	f.capacities[capacity.Name] = capacity
	written := bare(object)
	if status, found := object.Object["status"]; found {
		written.Object["status"] = status
	}
	f.Objects = append(f.Objects, written)
	return nil
}

// namespaceType is the type namespaces; zero unless it is enabled.
func (f *Facts) namespaceType() typeconfig.Type {
	for _, t := range f.Types {
		if t.Name == fedcommon.NamespaceName {
			return t
		}
	}
	return typeconfig.Type{}
}

// typeOf is the enabled type that an object is of.
func (f *Facts) typeOf(gvk schema.GroupVersionKind) (typeconfig.Type, bool) {
	for _, t := range f.Types {
		if t.Federated.GVK.GroupKind() == gvk.GroupKind() {
			return t, true
		}
	}
	return typeconfig.Type{}, false
}

// bare is an object as a file holds it: without what the API server keeps and without
// addresses and credentials, which decide nothing here.
func bare(object *unstructured.Unstructured) *unstructured.Unstructured {
	written := &unstructured.Unstructured{Object: map[string]any{"apiVersion": object.GetAPIVersion(), "kind": object.GetKind()}}
	written.SetNamespace(object.GetNamespace())
	written.SetName(object.GetName())
	written.SetLabels(object.GetLabels())
	spec, _, _ := unstructured.NestedMap(object.Object, "spec")
	switch object.GetKind() {
	case "KubeFedCluster":
		spec = nil
		if version, found, _ := unstructured.NestedString(object.Object, "status", "kubernetesVersion"); found {
			written.Object["status"] = map[string]any{"kubernetesVersion": version}
		}
	case "FederatedTypeConfig", "KubeFedConfig", "ClusterCapacity", "WorkloadKind", policy.KindOverridePolicy, policy.KindClusterOverridePolicy:
	default: // a FederatedNamespace
		spec = map[string]any{"placement": spec["placement"]}
	}
	if spec != nil {
		written.Object["spec"] = spec
	}
	return written
}
