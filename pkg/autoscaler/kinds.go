package autoscaler

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Owns is what an autoscaler decides of its target.
type Owns string

const (
	// Replicas is spec.replicas of the target.
	Replicas Owns = "replicas"
	// Requests are those of the target's pods. They are changed in the pods, and never in the
	// target.
	Requests Owns = "requests"
)

// Kind is a kind of autoscalers.
type Kind struct {
	schema.GroupVersionResource

	Kind string
	// Target is the path of the reference to what is scaled, and Otherwise what is left out
	// of it stands for.
	Target    []string
	Otherwise schema.GroupVersionKind
	Owns      Owns
	// MadeBy is the kind of autoscalers that have such ones made for them, and are named in
	// their place: the user knows them, and they are there also while the other is not.
	MadeBy schema.GroupKind
	// Off is the value of a field with which an autoscaler decides nothing.
	Off map[string]string
	// Source says who says all this.
	Source string
}

// scaledObject is KEDA's kind.
var scaledObject = schema.GroupKind{Group: "keda.sh", Kind: "ScaledObject"}

// Kinds are those that are known.
func Kinds() []Kind {
	return []Kind{{
		GroupVersionResource: schema.GroupVersionResource{Group: "autoscaling", Version: "v1", Resource: "horizontalpodautoscalers"}, // in every cluster
		Kind:                 "HorizontalPodAutoscaler", Target: []string{"spec", "scaleTargetRef"}, Owns: Replicas, MadeBy: scaledObject,
		Source: "Kubernetes API, autoscaling/v1, CrossVersionObjectReference; kedacore/keda, controllers/keda/hpa.go, which sets the controller reference",
	}, {
		GroupVersionResource: schema.GroupVersionResource{Group: scaledObject.Group, Version: "v1alpha1", Resource: "scaledobjects"},
		Kind:                 scaledObject.Kind, Target: []string{"spec", "scaleTargetRef"}, Owns: Replicas,
		Otherwise: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		Source:    "kedacore/keda, apis/keda/v1alpha1/scaledobject_types.go: it scales to zero itself, and has no HorizontalPodAutoscaler while it is paused",
	}, {
		GroupVersionResource: schema.GroupVersionResource{Group: "autoscaling.k8s.io", Version: "v1", Resource: "verticalpodautoscalers"},
		Kind:                 "VerticalPodAutoscaler", Target: []string{"spec", "targetRef"}, Owns: Requests,
		Off:    map[string]string{"spec.updatePolicy.updateMode": "Off"},
		Source: "kubernetes/autoscaler, vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1/types.go, UpdateMode",
	}}
}

// Name is how a kind is called, as a resource.
func (k *Kind) Name() string { return k.GroupResource().String() }

// Target is what an autoscaler scales, in its own namespace. An API group has it in whatever
// version the reference names.
type Target struct {
	schema.GroupKind

	Name string
}

// longestName is that of an object; longer ones are no names.
const longestName = 253

// TargetOf is what an autoscaler of the kind scales; the zero value if nothing.
func (k *Kind) TargetOf(object map[string]any) Target {
	for path, off := range k.Off {
		if textAt(object, splitPath(path)...) == off {
			return Target{}
		}
	}
	reference := mapAt(object, k.Target...)
	name, _ := reference["name"].(string)
	kind, _ := reference["kind"].(string)
	version, _ := reference["apiVersion"].(string)
	if name == "" || len(name) > longestName {
		return Target{}
	}
	group := k.Otherwise.Group
	if version != "" {
		gv, err := schema.ParseGroupVersion(version)
		if err != nil {
			return Target{}
		}
		group = gv.Group
	}
	if kind = cmp.Or(kind, k.Otherwise.Kind); kind == "" || len(kind) > longestName {
		return Target{}
	}
	return Target{GroupKind: schema.GroupKind{Group: group, Kind: kind}, Name: name}
}

// Title is how one autoscaler is called: by whoever has it made.
func (k *Kind) Title(object metav1.Object) string {
	kind, name := k.Kind, object.GetName()
	if owner := metav1.GetControllerOf(object); owner != nil && owner.Name != "" && k.MadeBy.Kind != "" && owner.Kind == k.MadeBy.Kind {
		if gv, err := schema.ParseGroupVersion(owner.APIVersion); err == nil && gv.Group == k.MadeBy.Group {
			kind, name = owner.Kind, owner.Name
		}
	}
	return kind + " " + errtext.Bounded(name, longestName)
}
