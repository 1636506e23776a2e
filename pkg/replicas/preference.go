package replicas

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"

	"github.com/fedctl/fedctl/pkg/replicas/planner"
)

// PreferenceGVK is the kind that the package works on.
var PreferenceGVK = schema.GroupVersionKind{Group: "scheduling.kubefed.io", Version: "v1alpha1", Kind: "ReplicaSchedulingPreference"}

var preferenceGVR = PreferenceGVK.GroupVersion().WithResource("replicaschedulingpreferences")

// preference is a ReplicaSchedulingPreference as the host cluster last told it.
type preference struct {
	// meta names it in events.
	meta metav1.PartialObjectMetadata
	spec fedschedulingv1alpha1.ReplicaSchedulingPreferenceSpec
	// invalid says why the spec could not be read or cannot be followed.
	invalid error
	status  Status
}

// readPreference takes a preference from a watched object.
func readPreference(obj metav1.Object) (*preference, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("watched ReplicaSchedulingPreference is a %T", obj)
	}
	p := &preference{meta: metav1.PartialObjectMetadata{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: u.GetNamespace(), Name: u.GetName(), UID: u.GetUID(),
			Generation: u.GetGeneration(), DeletionTimestamp: u.GetDeletionTimestamp(),
		},
	}}
	p.meta.SetGroupVersionKind(PreferenceGVK)
	spec, _ := u.Object["spec"].(map[string]any)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &p.spec); err != nil {
		p.invalid = fmt.Errorf("spec: %w", err)
	} else {
		p.invalid = p.preferences().Validate()
	}
	// A status that somebody has spoilt is as good as none.
	status, _ := u.Object["status"].(map[string]any)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(status, &p.status); err != nil {
		p.status = Status{}
	}
	return p, nil
}

// preferences returns what the planner needs of the spec.
func (p *preference) preferences() planner.Preferences {
	out := planner.Preferences{
		Total:     int64(p.spec.TotalReplicas),
		Rebalance: p.spec.Rebalance,
		Clusters:  make(map[string]planner.Preference, len(p.spec.Clusters)),
	}
	for name, c := range p.spec.Clusters {
		out.Clusters[name] = planner.Preference{Min: c.MinReplicas, Max: c.MaxReplicas, Weight: c.Weight}
	}
	return out
}

// sameIntent says whether b asks for the same as a.
func (p *preference) sameIntent(other *preference) bool {
	return p.meta.UID == other.meta.UID && p.meta.Generation == other.meta.Generation && p.deleting() == other.deleting()
}

func (p *preference) deleting() bool { return p.meta.DeletionTimestamp != nil }
