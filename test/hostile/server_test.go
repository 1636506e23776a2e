package hostile

import "testing"

func TestOfOne(t *testing.T) {
	for path, want := range map[string]bool{
		"/":                                    false,
		"/api/v1":                              false,
		"/apis/apps/v1":                        false,
		"/api/v1/namespaces":                   false,
		"/api/v1/namespaces/shop":              true,
		"/api/v1/configmaps":                   false,
		"/api/v1/namespaces/shop/configmaps":   false,
		"/api/v1/namespaces/shop/configmaps/a": true,
		"/apis/apps/v1/namespaces/shop/deployments":         false,
		"/apis/apps/v1/namespaces/shop/deployments/a":       true,
		"/apis/rbac.authorization.k8s.io/v1/clusterroles/a": true,
	} {
		if got := ofOne(path); got != want {
			t.Errorf("%s: got %t", path, got)
		}
	}
}
