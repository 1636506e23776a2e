package content

import (
	"maps"
	"slices"
	"testing"
)

func TestMeant(t *testing.T) {
	known := slices.SortedFunc(maps.Values(resources), func(a, b Resource) int { return len(a.Name()) - len(b.Name()) })
	for name, want := range map[string]string{
		"deployments": "deployments.apps", "deploy": "deployments.apps", "Deployment.apps": "deployments.apps", "secret": "secrets",
		"netpol": "networkpolicies.networking.k8s.io", "cm": "configmaps", "confgimaps": "configmaps", "deployments.app": "deployments.apps",
		"widget": "widgets.example.com", "gizmos.example.org": "", "x": "",
	} {
		if got := MeantResource(name, known); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"c41": "c14", "shpo": "shop", "shop-copy": "", "monitoring": ""} {
		if got := Meant(name, []string{"c14", "shop", "kube-system"}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestMisspelt(t *testing.T) {
	known := slices.Collect(maps.Values(resources))
	for name, want := range map[string]string{
		"secrets.core": "secrets", "Secrets.V1": "secrets", "*.app": "*.apps", "deployments.app": "deployments.apps",
		"networkpolicies.networking.k8s.oi": "networkpolicies.networking.k8s.io",
		// These may be another cluster's.
		"secrets.example.com": "", "gadgets.example.com": "", "widgets.example.invalid": "", "*.example.net": "", "podsecuritypolicies.policy": "",
	} {
		if got := Misspelt(name, known); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
