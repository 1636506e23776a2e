package exported

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// planeKinds are in the namespace of the control plane whose they are, whatever its scope.
var planeKinds = []schema.GroupVersionKind{Cluster, TypeConfig, Config, Capacity}

// neededKinds are what a control plane needs of the host, whatever its scope.
var neededKinds = []schema.GroupVersionKind{Definition, Role, Binding}

// Reach is where the objects of a control plane are: in all of the host, or with scope
// Namespaced in its own namespace alone, which has no say in what is for all.
type Reach struct {
	Plane      string
	Namespaced bool
}

// Of is the namespace in which objects of a kind are the control plane's; empty means all.
// own is false for a kind of which none is. namespaced says whether the kind has namespaces.
func (r Reach) Of(kind schema.GroupVersionKind, namespaced bool) (namespace string, own bool) {
	switch {
	case slices.Contains(planeKinds, kind):
		return r.Plane, true
	case slices.Contains(neededKinds, kind), !r.Namespaced:
		return "", true
	default:
		return r.Plane, namespaced
	}
}

// notFederated are groups of the control plane itself, and of those of KubeFed.
var notFederated = []string{"core.kubefed.io", "scheduling.kubefed.io", "multiclusterdns.kubefed.io", "fedctl.io"}

// IsFederated says whether a resource is called as federated types are. Of others, which a
// FederatedTypeConfig may name, an import takes no objects: they could be anything.
func IsFederated(r typeconfig.Resource) bool {
	group := r.GVK.Group
	if slices.Contains(notFederated, group) || strings.HasSuffix(group, ".fedctl.io") || strings.HasSuffix(group, "k8s.io") || strings.HasSuffix(group, "kubernetes.io") {
		return false
	}
	return group == typeconfig.DefaultFederatedGroup || strings.Contains(group, ".") && strings.HasPrefix(r.GVK.Kind, "Federated")
}
