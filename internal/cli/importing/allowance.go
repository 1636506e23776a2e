package importing

import (
	"fmt"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"

	"github.com/fedctl/fedctl/internal/exported"
	fedctlv1alpha1 "github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/serverapply"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// allowance is what an export holds: who has been given a folder does not look at each object,
// and imports it with his rights.
type allowance struct {
	reach exported.Reach
	// types are those of the export, federated whether the kinds of their objects have
	// namespaces, and definitions the names of their CustomResourceDefinitions.
	types       []typeconfig.Type
	federated   map[schema.GroupKind]bool
	definitions map[string]bool
	// rights are those that the controller needs for them, by kind and name.
	rights map[string]*unstructured.Unstructured
}

// readAllowance reads the types of the export, and its scope.
func (i *importing) readAllowance() (a allowance, err error) {
	a = allowance{
		reach: exported.Reach{Plane: i.contents.Namespace}, federated: map[schema.GroupKind]bool{}, definitions: map[string]bool{},
		rights: map[string]*unstructured.Unstructured{},
	}
	err = i.inOrder(func(u *unstructured.Unstructured) error {
		switch u.GroupVersionKind() {
		case exported.TypeConfig:
			return a.addType(u)
		case exported.Config:
			a.reach = reachOf(i.contents.Namespace, scopeOf(u))
		}
		return nil
	})
	return a, err
}

func (a *allowance) addType(u *unstructured.Unstructured) error {
	config := &fedcorev1beta1.FederatedTypeConfig{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, config); err != nil {
		return fmt.Errorf("%s: %w", serverapply.Describe(u), err)
	}
	t, err := typeconfig.FromFederatedTypeConfig(config)
	if err != nil {
		return err
	}
	if !exported.IsFederated(t.Federated) {
		return fmt.Errorf("the export holds %s, whose federated type is %s: that is none, since a federated type has a group of its own and a kind that begins with Federated. Its objects could be anything, so import does not write them: take both out of the way, on the host of the export", serverapply.Describe(u), t.CRDName())
	}
	a.types = append(a.types, t)
	a.federated[t.Federated.GVK.GroupKind()], a.definitions[t.CRDName()] = t.Federated.Namespaced, true
	if t.HasStatusObjects() {
		a.definitions[t.StatusObjects.CRDName()] = true
	}
	for _, right := range enablement.Rights(t.Federated.GVK.Group, a.reach.Plane) {
		a.rights[right.GetKind()+" "+right.GetName()] = right
	}
	return nil
}

// ownKinds are those of users and operators beside federated objects, and whether they have
// namespaces.
var ownKinds = map[schema.GroupVersionKind]bool{
	exported.Cluster: true, exported.TypeConfig: true, exported.Config: true, exported.Capacity: true, exported.Backup: true, exported.Repository: true,
	policyv1alpha1.GroupVersion.WithKind("OverridePolicy"):                           true,
	fedschedulingv1alpha1.SchemeGroupVersion.WithKind("ReplicaSchedulingPreference"): true,
	policyv1alpha1.GroupVersion.WithKind("ClusterOverridePolicy"):                    false,
	fedctlv1alpha1.GroupVersion.WithKind("WorkloadKind"):                             false,
	exported.Namespace: false,
}

// refuses says why an object is none that an export holds, or nothing.
func (a *allowance) refuses(u *unstructured.Unstructured) string {
	gvk := u.GroupVersionKind()
	switch gvk {
	case exported.Role, exported.Binding:
		right := a.rights[gvk.Kind+" "+u.GetName()]
		if right == nil || !exported.Same(right, u) {
			return "it gives other rights than those that the controller needs for the types of the export"
		}
		return ""
	case exported.Definition:
		return a.refusesDefinition(u)
	case exported.Backup, exported.Repository:
		if !exported.Rests(u) {
			return "it is not suspended, or read-only"
		}
	case exported.Config:
		if u.GetName() != kubefedconfig.Name {
			return "the settings of a control plane are called " + kubefedconfig.Name
		}
	}
	namespaced, known := ownKinds[gvk]
	if !known {
		if namespaced, known = a.federated[gvk.GroupKind()]; !known {
			return "it is of no federated type of the export"
		}
	}
	namespace, own := a.reach.Of(gvk, namespaced)
	if !own || namespaced != (u.GetNamespace() != "") || namespaced && namespace != "" && namespace != u.GetNamespace() {
		return "it is not where the control plane in namespace " + a.reach.Plane + " has such objects"
	}
	return ""
}

// refusesDefinition lets definitions of the types of the export be: none that has objects sent elsewhere.
func (a *allowance) refusesDefinition(u *unstructured.Unstructured) string {
	strategy, _, _ := unstructured.NestedString(u.Object, "spec", "conversion", "strategy")
	switch {
	case !a.definitions[u.GetName()]:
		return "it is of no federated type of the export"
	case strategy != "" && !strings.EqualFold(strategy, string(apiextensionsv1.NoneConverter)):
		return "it has a webhook that would be sent all objects"
	}
	return ""
}

func (i *importing) isFederated(u *unstructured.Unstructured) bool {
	_, known := i.allowance.federated[u.GroupVersionKind().GroupKind()]
	return known
}
