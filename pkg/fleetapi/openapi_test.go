package fleetapi

import (
	"testing"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// A type that refers to one that is not described would keep the server from starting.
func TestDefinitionsAreComplete(t *testing.T) {
	asked := map[string]bool{}
	all := definitions(func(name string) spec.Ref { asked[name] = true; return spec.MustCreateRef("#/" + name) })
	for name := range asked {
		if _, found := all[name]; !found {
			t.Errorf("%s is referred to, and not described", name)
		}
	}
	for name, definition := range all {
		for _, dependency := range definition.Dependencies {
			if _, found := all[dependency]; !found {
				t.Errorf("%s depends on %s, which is not described", name, dependency)
			}
		}
	}
	if _, found := all["io.fedctl.fleet.v1alpha1.Cluster"]; !found {
		t.Error("Cluster is not described")
	}
}
