package policy

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

// times repeats a text, with the place of each in it.
func times(n int, text string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(text, i))
	}
	return strings.Join(all, ", ")
}

// A policy of one that may write it can be carried out on what others have written, and so be larger
// than both: what it makes is bounded before it is made.
func TestWhatPoliciesMakeOfObjectsIsBounded(t *testing.T) {
	containers := "{spec: {template: {spec: {containers: [" + times(4000, "{name: c%d, image: i}") + "]}}}}"
	aliases := "data: {x: \"a: &a " + strings.Repeat("long", 50000) + "\\nb: [" + strings.Repeat("*a, ", 20000) + "]\"}"
	nested := "data: {x: \"a0: &a0 [" + strings.Repeat("x, ", 50) + "]\\n"
	for i := range 12 {
		nested += fmt.Sprintf("a%d: &a%d [%s]\\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9))
	}
	nested += "\"}"
	value := strings.Repeat("v", 1000)
	patch := "{in: {path: /data/x, format: YAML}, op: add, path: /more, value: 1}"
	for _, tt := range []struct{ name, object, rule, want string }{
		{"variables for many containers", containers, "env: [" + times(100, "{name: E%d, value: "+value+"}") + "]", "spec.rules[0]: makes the object larger than 3145728 bytes"},
		{"few variables for many containers", containers, "env: [{name: E}]", ""},
		{"arguments for many containers", containers, "containers: [" + times(64, "c%d") + "]\n  args: [" + times(250, value+"%d") + "]", "spec.rules[0]: makes the object larger than 3145728 bytes"},
		{"a text that aliases repeat", aliases, "patches: [" + patch + "]", "spec.rules[0].patches[0].in: what the aliases of the document stand for is larger than 3145728 bytes together"},
		{"aliases of aliases", nested, "patches: [" + patch + "]", "spec.rules[0].patches[0].in: what the aliases of the document stand for is larger than 3145728 bytes together"},
		{"an alias as people write them", `data: {x: "a: &a {b: 1}\nc: *a\n"}`, "patches: [" + patch + "]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policyOf(t, "rules:\n- "+tt.rule)
			tree := read(t, tt.object)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			changed, _, err := Layers([]*Policy{p}, NewObject(workload.Builtin(), deployments, "", "train", nil), tree, fleetOfOne)[0].Modifier.Modify("one", tree)
			runtime.ReadMemStats(&after)
			if tt.want == "" && (err != nil || changed == nil) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v", err)
			}
			if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 200 {
				t.Errorf("it took %d MiB", made)
			}
		})
	}
}

// Rules that keep pods to nodes do not multiply what they have said before.
func TestNodesAreRequiredOnce(t *testing.T) {
	pool := func(product, label string) clusterv1alpha1.Pool {
		return clusterv1alpha1.Pool{Resource: "nvidia.com/gpu", Product: product, ProductLabel: label, Nodes: 1, LargestNode: resource.MustParse("8")}
	}
	fleet := NewFleet(Clusters{"one": {Known: true, Pools: []clusterv1alpha1.Pool{pool("A100", "nvidia.com/gpu.product"), pool("nvidia-a100", "cloud.google.com/gke-accelerator")}}})
	p := policyOf(t, "rules: ["+times(64, "{deriveTolerations: {requireNodes: true, approve: [{key: k%d, effect: NoSchedule}]}}")+"]")
	tree := read(t, gpuWorkload)
	for _, layer := range Layers([]*Policy{p}, NewObject(workload.Builtin(), deployments, "", "train", nil), tree, fleet) {
		changed, _, err := layer.Modifier.Modify("one", tree)
		if err != nil {
			t.Fatal(err)
		}
		tree = changed
	}
	if terms := strings.Count(text(tree), "matchExpressions"); terms != 2 {
		t.Errorf("got %d terms", terms)
	}
	own := read(t, "{spec: {template: {spec: {containers: [{name: a, resources: {limits: {nvidia.com/gpu: 1}}}], affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: ["+
		times(mostTerms/2+1, `{matchExpressions: [{key: a, operator: In, values: ["%d"]}]}`)+"]}}}}}}}")
	_, _, err := Layers([]*Policy{p}, NewObject(workload.Builtin(), deployments, "", "train", nil), own, fleet)[0].Modifier.Modify("one", own)
	if err == nil || !strings.Contains(err.Error(), "spec.rules[0].deriveTolerations.requireNodes: the pods are kept to nodes in more than 256 ways") {
		t.Errorf("got %v", err)
	}
}

// An object that is too large for any API server is not written out to find that.
func TestWhatIsRenderedIsBounded(t *testing.T) {
	shared := []any{strings.Repeat("x", 1<<20)}
	list := make([]any, 1000)
	for i := range list {
		list[i] = shared
	}
	r, err := federate.NewRenderer(&federate.Object{Name: "c", Namespace: "ns", Template: map[string]any{"data": list}}, federate.Target{GVK: deployments.WithVersion("v1"), Namespaced: true})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = r.For("one")
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "it is larger than 3145728 bytes, which no API server takes") {
		t.Errorf("got %v", err)
	}
	if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 100 {
		t.Errorf("it took %d MiB", made)
	}
}
