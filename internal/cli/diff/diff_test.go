package diff

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What kubectl's own masker leaves is hidden as well: kubectl apply notes a whole Secret in
// an annotation.
func TestNothingOfASecretIsLeft(t *testing.T) {
	const applied = "kubectl.kubernetes.io/last-applied-configuration"
	for kind, want := range map[string]bool{"Secret": false, "ConfigMap": true} {
		object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
		object.SetAnnotations(map[string]string{applied: `{"data":{"password":"aHVudGVyMg=="}}`, "a": "b"})
		object.SetResourceVersion("7")
		shown := withoutNoise(object).GetAnnotations()
		if _, there := shown[applied]; there != want || shown["a"] != "b" {
			t.Errorf("%s: %v", kind, shown)
		}
		if object.GetResourceVersion() != "7" || len(object.GetAnnotations()) != 2 {
			t.Errorf("%s: the argument was modified", kind)
		}
	}
}
