package federate

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/placement"
)

// Object is what we read of a federated object. It shares the maps of the
// unstructured object it was parsed from: nothing in it may be modified.
type Object struct {
	Namespace, Name string
	UID             types.UID
	Generation      int64
	// Labels are the federated object's own: policies select by them.
	Labels map[string]string
	// Deleting says that the object has a deletion timestamp.
	Deleting bool
	// HasFinalizer says that our Finalizer is on the object.
	HasFinalizer bool

	// Template is spec.template; nil when there is none, which is an empty one.
	Template  map[string]any
	Placement placement.Spec
	// Overrides is spec.overrides in the order of the manifest; nil when the
	// field is absent, empty when it is an empty list.
	Overrides []ClusterOverrides
	// RetainReplicas leaves spec.replicas to the member clusters.
	RetainReplicas bool

	// Orphan says that the member objects stay when the object is deleted.
	Orphan bool
	// OrphanPolicy says that this is because it is being deleted with the propagation
	// policy Orphan. Kubernetes' garbage collector takes the sign of that away at once:
	// whoever has seen it remembers it.
	OrphanPolicy bool
	// Ownership is what OwnershipAnnotation says of it; empty where it says nothing.
	Ownership string
	// ProgressDeadline is what ProgressDeadlineAnnotation says of it; empty where it says nothing.
	ProgressDeadline string
	// Consumed is what ConsumedAnnotation says of it; empty where it says nothing.
	Consumed string
	// AfterAutoscaler is what AfterAutoscalerAnnotation says of it; empty where it says nothing.
	AfterAutoscaler string
	// DeleteOptions are for deletions in the members; nil means the defaults.
	// Only gracePeriodSeconds, propagationPolicy and preconditions are taken, as in KubeFed.
	DeleteOptions *metav1.DeleteOptions
	// DeleteOptionsError is set when the annotation cannot be read. Propagation
	// goes on; a deletion should be refused and reported (DeletionFailed), since
	// the defaults may remove what the user wanted to keep.
	DeleteOptionsError *ParseError

	Status Status
}

// ClusterOverrides is one item of spec.overrides.
type ClusterOverrides struct {
	ClusterName string
	Overrides   []Override
}

// Override is one JSON patch operation of clusterOverrides.
type Override struct {
	// Op is add, remove or replace; "" means replace. Anything else is
	// reported by the Renderer.
	Op string
	// Path is a JSON pointer into the target object.
	Path string
	// Value is shared with the object it was parsed from.
	Value any
	// HasValue says that the field is there and not null. KubeFed does not tell
	// null from absent, and neither survives a kubectl apply.
	HasValue bool
}

// Parse reads a federated object of any type. u is not modified; the Object
// shares its maps, so u must not be modified either while the Object is in use.
//
// The Object is never nil: with an error it holds everything that could be read,
// so that an object with a broken spec can still be deleted. The error is a
// *ParseError that names the first field in fault and says what to report.
func Parse(u *unstructured.Unstructured) (*Object, error) {
	o := &Object{}
	if u == nil || u.Object == nil {
		return o, &ParseError{Message: "the object is empty", Reason: CheckClusters, Status: ComputeResourceFailed}
	}
	o.parseMetadata(u.Object["metadata"])
	o.Status = ParseStatus(u.Object["status"])
	if err := o.parseSpec(u.Object["spec"]); err != nil {
		return o, err
	}
	return o, nil
}

// SetsReplicas says whether spec.replicas of the template or of an override say something.
func (o *Object) SetsReplicas() bool {
	if replicasIn(o.Template) != nil {
		return true
	}
	for i := range o.Overrides {
		if slices.ContainsFunc(o.Overrides[i].Overrides, func(v Override) bool { return v.Path == "/spec/replicas" && v.HasValue }) {
			return true
		}
	}
	return false
}

// TemplateReplicas are the replicas that a cluster without an override gets: spec.replicas of the
// template, or 1, as Kubernetes has it.
func (o *Object) TemplateReplicas() int64 {
	if n := replicasIn(o.Template); n != nil {
		return *n
	}
	return 1
}

// NamespacedName returns the key of the federated object.
func (o *Object) NamespacedName() types.NamespacedName {
	return types.NamespacedName{Namespace: o.Namespace, Name: o.Name}
}
