package accelerator

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// ReadCapacity reads a ClusterCapacity from an object as a watch or a file tells it.
func ReadCapacity(obj metav1.Object) (*v1alpha1.ClusterCapacity, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("a ClusterCapacity is a %T", obj)
	}
	read := &v1alpha1.ClusterCapacity{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, read); err != nil {
		return nil, err
	}
	read.ManagedFields = nil
	return read, nil
}

// DevicesRead says of the condition DevicesKnown whether the devices have been read, now or
// earlier: what is said of them is what was known last, also if that is that there are none.
func DevicesRead(known *metav1.Condition) bool {
	switch known.Reason {
	case v1alpha1.ReasonDevicesStale, v1alpha1.ReasonClaimsUnreadable, v1alpha1.ReasonUnreadable:
		return true
	}
	return known.Status == metav1.ConditionTrue
}
