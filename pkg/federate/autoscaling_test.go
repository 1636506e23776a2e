package federate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Replicas are left to some clusters, whatever else is different in them.
func TestReplicasLeftToSomeClusters(t *testing.T) {
	o := mustParse(t, `{metadata: {name: web, namespace: ns}, spec: {template: {spec: {replicas: 3, paused: true}}, overrides: [
		{clusterName: more, clusterOverrides: [{path: /spec/replicas, value: 7}]},
		{clusterName: both, clusterOverrides: [{path: /spec/replicas, value: 8}]}]}}`)
	target := Target{GVK: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespaced: true}
	intent := IntentOf(o, nil, nil)
	for _, policies := range []bool{false, true} {
		if policies {
			intent = intent.Beneath(Layer{Origin: Origin{Kind: "OverridePolicy", Name: "p"}, Modifier: labeller{value: "policy"}})
		}
		r, err := intent.LeavingReplicas([]string{"both", "left"}).Renderer(target)
		if err != nil {
			t.Fatal(err)
		}
		for cluster, want := range map[string]struct {
			replicas int64
			left     bool
		}{"left": {3, true}, "plain": {3, false}, "both": {8, true}, "more": {7, false}} {
			for range 2 { // the second time from what is remembered
				rendered, err := r.For(cluster)
				if err != nil {
					t.Fatal(err)
				}
				number := fmt.Sprintf(`"replicas":%d`, want.replicas)
				if rendered.LeavesReplicas != want.left || *rendered.Replicas != want.replicas ||
					strings.Contains(string(rendered.JSON), number) == want.left || strings.Contains(string(rendered.Initial), number) != want.left {
					t.Errorf("%s, with policies %v: %s, at first %s", cluster, policies, rendered.JSON, rendered.Initial)
				}
			}
		}
	}
}

func TestRevisionOfLeftReplicas(t *testing.T) {
	intent := IntentOf(mustParse(t, `{metadata: {name: web, namespace: ns}, spec: {template: {spec: {replicas: 3}}}}`), nil, nil)
	if intent.LeavingReplicas(nil).Revision() != intent.Revision() {
		t.Error("nothing left is another intent")
	}
	seen := map[Revision]bool{intent.Revision(): true}
	for _, left := range [][]string{{"a"}, {"b"}, {"a", "b"}, {"ab"}} {
		if revision := intent.LeavingReplicas(left).Revision(); seen[revision] {
			t.Errorf("%v is not told from others", left)
		} else {
			seen[revision] = true
		}
	}
	retained := IntentOf(mustParse(t, `{metadata: {name: web, namespace: ns}, spec: {retainReplicas: true, template: {spec: {replicas: 3}}}}`), nil, nil)
	if retained.LeavingReplicas([]string{"a"}).Revision() != retained.Revision() {
		t.Error("replicas that are left everywhere are left again")
	}
}

func TestSetsReplicas(t *testing.T) {
	for spec, want := range map[string]bool{
		`{template: {spec: {replicas: 0}}}`: true,
		`{template: {spec: {}}}`:            false,
		`{template: {data: {replicas: a}}}`: false,
		`{template: {}, overrides: [{clusterName: a, clusterOverrides: [{path: /spec/replicas, value: 1}]}]}`:             true,
		`{template: {}, overrides: [{clusterName: a, clusterOverrides: [{path: /spec/replicas, op: remove}]}]}`:           false,
		`{template: {}, overrides: [{clusterName: a, clusterOverrides: [{path: /spec/other, value: 1}]}], placement: {}}`: false,
	} {
		if got := mustParse(t, `{metadata: {name: web, namespace: ns}, spec: `+spec+`}`).SetsReplicas(); got != want {
			t.Errorf("%s: %v", spec, got)
		}
	}
}

func TestAutoscalingInTheStatus(t *testing.T) {
	for name, a := range map[string]Autoscaling{
		"none":       {},
		"autoscaled": {Replicas: ReplicasAutoscaled, By: "HorizontalPodAutoscaler web", TemplateReplicas: 3},
		"from zero":  {Replicas: ReplicasKept},
		"requests":   {RequestsBy: "VerticalPodAutoscaler web"},
		"unreadable": {Replicas: ReplicasUnreadable, TemplateReplicas: 3, Message: "forbidden"},
	} {
		in := FoldInput{Generation: 1, Now: earlier, Outcomes: []Outcome{{Cluster: "a", Autoscaling: a}}}
		next, changed := Fold(in)
		if !changed {
			t.Errorf("%s: nothing is said", name)
		}
		in.Previous = ParseStatus(next.ToUnstructured())
		if diff := cmp.Diff(a, in.Previous.Cluster("a").Autoscaling); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if _, changed := Fold(in); changed {
			t.Errorf("%s: said again", name)
		}
		in.Outcomes[0].Autoscaling.RequestsBy += "2"
		if _, changed := Fold(in); !changed {
			t.Errorf("%s: another one is not said", name)
		}
		if (a.Says() != "") != a.LeavesReplicas() {
			t.Errorf("%s: says %q", name, a.Says())
		}
	}
	if a := parseAutoscaling(map[string]any{"replicas": "Whatever", "templateReplicas": int64(4)}); a != (Autoscaling{}) {
		t.Errorf("a word that nobody knows is %v", a)
	}
}

func TestAfterAutoscaler(t *testing.T) {
	for value, want := range map[string]struct{ back, fault bool }{"": {}, "Keep": {}, "Template": {back: true}, "template": {fault: true}} {
		back, fault := AfterAutoscalerOf(value)
		if back != want.back || (fault != "") != want.fault {
			t.Errorf("%q: %v, %q", value, back, fault)
		}
	}
}
