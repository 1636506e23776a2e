package policy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

// someClusters are clusters whose labels and pools are chosen at random.
func someClusters(r *rand.Rand, n int) Clusters {
	taints := [][]clusterv1alpha1.PoolTaint{
		nil,
		{{Key: "nvidia.com/gpu", Value: "present", Effect: "NoSchedule", Meaning: clusterv1alpha1.TaintHardware}},
		{{Key: "nvidia.com/gpu", Effect: "NoSchedule", Meaning: clusterv1alpha1.TaintHardware}, {Key: "spot", Value: "true", Effect: "NoSchedule", Meaning: clusterv1alpha1.TaintRestricted}},
		{{Key: "dedicated", Value: "research", Effect: "NoSchedule", Meaning: clusterv1alpha1.TaintRestricted}},
	}
	clusters := Clusters{}
	for i := range n {
		c := Cluster{Known: r.IntN(8) > 0, Labels: map[string]string{"region": fmt.Sprint(r.IntN(3))}}
		for range r.IntN(3) {
			c.Pools = append(c.Pools, clusterv1alpha1.Pool{
				Resource: []string{"nvidia.com/gpu", "amd.com/gpu"}[r.IntN(2)], Product: fmt.Sprint("P", r.IntN(2)), ProductLabel: "product",
				Taints: taints[r.IntN(len(taints))], Nodes: int32(1 + r.IntN(9)), LargestNode: *resource.NewQuantity(int64(4<<r.IntN(2)), resource.DecimalSI),
			})
		}
		clusters[fmt.Sprint("c", i)] = c
	}
	return clusters
}

// Clusters that are alike share what is made: each gets what it would get alone.
func TestClustersThatAreAlikeGetWhatTheyWouldAlone(t *testing.T) {
	policies := []*Policy{
		policyOf(t, `{rules: [{deriveTolerations: {requireNodes: true, approve: [{key: dedicated, value: research, effect: NoSchedule}]}}]}`),
		policyOf(t, `{rules: [{clusters: {labelSelector: {matchLabels: {region: "1"}}}, sidecars: [{name: more, image: m, resources: {limits: {amd.com/gpu: 1}}}]}]}`),
		policyOf(t, `{rules: [{deriveTolerations: {}}, {clusters: {accelerator: amd.com/gpu}, replicas: 7}, {clusters: {names: [c1, c2]}, images: [{registry: mirror.example}]}]}`),
	}
	r := rand.New(rand.NewPCG(1, 2))
	target := federate.Target{GVK: deployments.WithVersion("v1"), Namespaced: true}
	object, err := federate.Parse(&unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "train", "namespace": "ml"}, "spec": map[string]any{"template": read(t, gpuWorkload), "overrides": []any{
			map[string]any{"clusterName": "c2", "clusterOverrides": []any{map[string]any{"path": "/spec/replicas", "value": int64(9)}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	renderer := func(fleet *Fleet) *federate.Renderer {
		layers := Layers(policies, NewObject(workload.Builtin(), deployments, "ml", "train", nil), object.Template, fleet)
		renderer, err := federate.IntentOf(object, nil, nil).Beneath(layers...).Renderer(target)
		if err != nil {
			t.Fatal(err)
		}
		return renderer
	}
	for range 50 {
		clusters := someClusters(r, 12)
		shared := renderer(NewFleet(clusters))
		for name, cluster := range clusters {
			want, wantErr := renderer(NewFleet(Clusters{name: cluster})).For(name)
			got, err := shared.For(name)
			if !bytes.Equal(got.JSON, want.JSON) || !slices.Equal(got.Notes, want.Notes) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%s %+v: got\n%s %q %v\nwant\n%s %q %v", name, cluster, got.JSON, got.Notes, err, want.JSON, want.Notes, wantErr)
			}
		}
	}
}

// What an earlier rule makes pods ask for counts: pools that come for that are news.
func TestRevisionKnowsWhatOtherRulesMakePodsAskFor(t *testing.T) {
	p := policyOf(t, `{rules: [{containers: [web], resources: {limits: {amd.com/gpu: 1}}}, {deriveTolerations: {}}]}`)
	web := read(t, `{spec: {template: {spec: {containers: [{name: web}]}}}}`)
	revision := func(pools ...clusterv1alpha1.Pool) federate.Revision {
		layers := Layers([]*Policy{p}, NewObject(workload.Builtin(), deployments, "", "", nil), web, NewFleet(Clusters{"one": {Known: true, Pools: pools}}))
		return federate.IntentOf(&federate.Object{Template: web}, nil, nil).Beneath(layers...).Revision()
	}
	if revision() == revision(clusterv1alpha1.Pool{Resource: "amd.com/gpu", LargestNode: resource.MustParse("1")}) {
		t.Error("a pool that comes does not matter")
	}
}
