package exported_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/internal/exported"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

func TestWhatIsAControlPlanes(t *testing.T) {
	policy := schema.GroupVersionKind{Group: "policy.fedctl.io", Version: "v1alpha1", Kind: "Policy"}
	for _, test := range []struct {
		kind       schema.GroupVersionKind
		namespaced bool
		cluster    string // where with scope Cluster, and limited with scope Namespaced
		limited    string
	}{
		{exported.Cluster, true, "plane", "plane"},
		{exported.Capacity, true, "plane", "plane"},
		{exported.Config, true, "plane", "plane"},
		{exported.TypeConfig, true, "plane", "plane"},
		{exported.Definition, false, "", ""},
		{exported.Role, false, "", ""},
		{policy, true, "", "plane"},
		{policy, false, "", "none"},
		{exported.Namespace, false, "", "none"},
	} {
		for reach, want := range map[exported.Reach]string{{Plane: "plane"}: test.cluster, {Plane: "plane", Namespaced: true}: test.limited} {
			namespace, own := reach.Of(test.kind, test.namespaced)
			if !own {
				namespace = "none"
			}
			if namespace != want {
				t.Errorf("%s, namespaced %v, of %+v: %q, want %q", test.kind.Kind, test.namespaced, reach, namespace, want)
			}
		}
	}
}

func TestWhatIsAFederatedType(t *testing.T) {
	for of, want := range map[[2]string]bool{
		{"types.kubefed.io", "FederatedConfigMap"}:     true,
		{"types.kubefed.io", "Anything"}:               true,
		{"types.example.com", "FederatedWidget"}:       true,
		{"cert-manager.io", "Certificate"}:             false,
		{"", "FederatedSecret"}:                        false,
		{"apps", "FederatedDeployment"}:                false,
		{"rbac.authorization.k8s.io", "FederatedRole"}: false,
		{"core.kubefed.io", "FederatedTypeConfig"}:     false,
		{"backup.fedctl.io", "FederatedBackup"}:        false,
		{"fedctl.io", "FederatedX"}:                    false,
	} {
		kind := schema.GroupVersionKind{Group: of[0], Version: "v1", Kind: of[1]}
		if got := exported.IsFederated(typeconfig.Resource{GVK: kind}); got != want {
			t.Errorf("%v: %v", of, got)
		}
	}
}
