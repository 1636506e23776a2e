package events

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestEventsThatAreAskedFor(t *testing.T) {
	event := &corev1.Event{Type: "Warning", InvolvedObject: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}}
	web := object{schema.GroupKind{Group: "apps", Kind: "Deployment"}, "web"}
	for _, c := range []struct {
		types []string
		meant object
		want  bool
	}{
		{nil, object{}, true},
		{[]string{"warning"}, object{}, true},
		{[]string{"Normal"}, object{}, false},
		{nil, web, true},
		{nil, object{schema.GroupKind{Group: "other.io", Kind: "Deployment"}, "web"}, false},
		{nil, object{web.GroupKind, "api"}, false},
		{[]string{"Normal", "Warning"}, web, true},
	} {
		if got := (&Options{Types: c.types}).shows(event, c.meant); got != c.want {
			t.Errorf("%v %v: %v", c.types, c.meant, got)
		}
	}
}
