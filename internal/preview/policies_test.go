package preview

import (
	"slices"
	"strings"
	"testing"
)

// An override for a cluster that has not joined has no effect, and its name may be mistyped.
func TestOverridesForClustersThatHaveNotJoined(t *testing.T) {
	p := previewOf(t, host, strings.Replace(web, "clusterName: oslo", "clusterName: olso", 1))
	if want := []string{`spec.overrides[0].clusterName: no cluster "olso" has joined`}; !slices.Equal(p.Warnings, want) {
		t.Errorf("got %q", p.Warnings)
	}
	if p := previewOf(t, host, web); p.Warnings != nil {
		t.Errorf("got %q", p.Warnings)
	}
}

// What policies name that there is none of is told of those of the files, and of those that change
// what is looked at.
func TestWhatPoliciesNameInVain(t *testing.T) {
	policies := objects(t, `apiVersion: policy.fedctl.io/v1alpha1
kind: OverridePolicy
metadata: {name: mistyped, namespace: shop}
spec: {rules: [{clusters: {names: [berlin, olso]}, replicas: 1}]}
---
apiVersion: policy.fedctl.io/v1alpha1
kind: OverridePolicy
metadata: {name: elsewhere, namespace: other}
spec: {selectors: [{kind: deployment}, {kind: Deployment}], rules: [{clusters: {names: [rome]}, replicas: 1}]}`)
	facts, err := FromObjects(append(objects(t, host), policies...), hostNamespace)
	if err != nil {
		t.Fatal(err)
	}
	object := objects(t, web)[0]
	p, err := facts.Of(object)
	if err != nil {
		t.Fatal(err)
	}
	mistyped, elsewhere := `OverridePolicy shop/mistyped: spec.rules[0].clusters.names[1]: no cluster "olso" has joined`, `OverridePolicy other/elsewhere: spec.rules[0].clusters.names[0]: no cluster "rome" has joined`
	if got := facts.Unmatched(nil, []*Preview{p}); !slices.Equal(got, []string{mistyped}) {
		t.Errorf("of what is looked at: got %q", got)
	}
	kind := `OverridePolicy other/elsewhere: spec.selectors[0]: no type of the kind "deployment" is federated`
	if got := facts.Unmatched(policies, nil); !slices.Equal(got, []string{kind, elsewhere, mistyped}) {
		t.Errorf("of the files: got %q", got)
	}
	if got := facts.Unmatched(nil, nil); got != nil {
		t.Errorf("of nothing: got %q", got)
	}
	if got := facts.Idle(policies, append(objects(t, host), object)); strings.Join(got, ", ") != "OverridePolicy other/elsewhere" {
		t.Errorf("selects nothing: got %q", got)
	}
}
