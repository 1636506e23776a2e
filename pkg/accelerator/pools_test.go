package accelerator

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

const gpu = "nvidia.com/gpu"

func gpuNode(amount int64, taints ...corev1.Taint) Node {
	return Node{Ready: true, ProductLabel: "nvidia.com/gpu.product", Product: "A100-SXM4-40GB", Taints: taints, Allocatable: map[string]int64{gpu: amount}}
}

func changed(node Node, change func(*Node)) Node {
	change(&node)
	return node
}

// text of pools, a line for each: what a person would compare.
func text(pools []v1alpha1.Pool) string {
	lines := make([]string, 0, len(pools))
	for _, p := range pools {
		taints := make([]string, 0, len(p.Taints))
		for _, t := range p.Taints {
			taints = append(taints, TaintText(t))
		}
		lines = append(lines, fmt.Sprintf("%s %s [%s] open=%v nodes=%d/%d alloc=%s largest=%s",
			p.Resource, p.Product, strings.Join(taints, " "), len(Blocking(&p, nil)) == 0, p.AvailableNodes, p.Nodes, p.Allocatable.String(), p.LargestNode.String()))
	}
	return strings.Join(lines, "\n")
}

func TestPools(t *testing.T) {
	present := taint(gpu, "present", noSchedule)
	tests := []struct {
		name  string
		nodes []Node
		want  string
	}{
		{name: "nodes that are alike are one pool",
			nodes: []Node{gpuNode(8, present), gpuNode(8, present)},
			want:  "nvidia.com/gpu A100-SXM4-40GB [nvidia.com/gpu=present:NoSchedule] open=true nodes=2/2 alloc=16 largest=8"},
		{name: "a node is in no pool of what it has none of", nodes: []Node{{Ready: true, Allocatable: map[string]int64{"hugepages-2Mi": 1, gpu: 0}}}, want: ""},
		{name: "two hard taints: one of them a person's decision",
			nodes: []Node{gpuNode(4, present, taint("kubernetes.io/arch", "arm64", noSchedule))},
			want:  "nvidia.com/gpu A100-SXM4-40GB [kubernetes.io/arch=arm64:NoSchedule nvidia.com/gpu=present:NoSchedule] open=false nodes=1/1 alloc=4 largest=4"},
		{name: "nodes that are not ready, or going, nodes are not counted",
			nodes: []Node{
				gpuNode(8, present),
				changed(gpuNode(8, present), func(n *Node) { n.Ready = false }),
				gpuNode(8, present, taint("ToBeDeletedByClusterAutoscaler", "1790000000", noSchedule)),
				gpuNode(8, present, taint("DeletionCandidateOfClusterAutoscaler", "1790000001", prefer)),
			},
			want: "nvidia.com/gpu A100-SXM4-40GB [nvidia.com/gpu=present:NoSchedule] open=true nodes=2/4 alloc=16 largest=8"},
		{name: "a node with whole cards and slices is in two pools",
			nodes: []Node{changed(gpuNode(1, present), func(n *Node) { n.Allocatable["nvidia.com/mig-1g.10gb"] = 7 })},
			want: "nvidia.com/gpu A100-SXM4-40GB [nvidia.com/gpu=present:NoSchedule] open=true nodes=1/1 alloc=1 largest=1\n" +
				"nvidia.com/mig-1g.10gb A100-SXM4-40GB [nvidia.com/gpu=present:NoSchedule] open=true nodes=1/1 alloc=7 largest=7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := text(Pools(tt.nodes, nil, nil)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// A pool does not depend on the order of nodes or taints.
func TestPoolsDoNotDependOnOrder(t *testing.T) {
	one, two := taint(gpu, "present", noSchedule), taint("dedicated", "ml", noSchedule)
	a := text(Pools([]Node{gpuNode(8, one, two), gpuNode(4, two, one)}, nil, nil))
	b := text(Pools([]Node{gpuNode(4, one, two), gpuNode(8, two, one)}, nil, nil))
	if a != b || strings.Count(a, "\n") != 0 {
		t.Errorf("got\n%s\nand\n%s", a, b)
	}
}

// What comes and keeps pods out narrows what others are let into; what goes, or is open, does not.
func TestNarrows(t *testing.T) {
	open, closed := gpuNode(8, taint(gpu, "present", noSchedule)), gpuNode(8, taint(gpu, "team-a", noSchedule))
	device := changed(closed, func(n *Node) { n.Allocatable = map[string]int64{v1alpha1.DeviceClassPrefix + "gpu": 1} })
	plain := changed(closed, func(n *Node) { n.Allocatable = map[string]int64{"cpu": 1} })
	for name, tt := range map[string]struct {
		before, after []Node
		want          bool
	}{
		"nothing":              {nil, nil, false},
		"where there was none": {nil, []Node{closed}, false},
		"one that is open":     {[]Node{open}, []Node{open, changed(open, func(n *Node) { n.Product = "H100" })}, false},
		"one that is closed":   {[]Node{open}, []Node{open, closed}, true},
		"one that becomes so":  {[]Node{open}, []Node{closed}, true},
		"devices":              {[]Node{open}, []Node{open, device}, true},
		"of other resources":   {[]Node{open}, []Node{open, plain}, false},
		"one that was there":   {[]Node{open, closed}, []Node{closed}, false},
		"of another product":   {[]Node{open, closed}, []Node{closed, changed(closed, func(n *Node) { n.Product = "H100" })}, true},
	} {
		if got := Narrows(Pools(tt.before, nil, nil), Pools(tt.after, nil, nil)); got != tt.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

// A pool that is known twice offers as much as either says; others are in one order.
func TestJoin(t *testing.T) {
	pools := Pools([]Node{gpuNode(2), changed(gpuNode(8), func(n *Node) { n.Product = "T4" })}, nil, nil)
	more := Pools([]Node{gpuNode(4), changed(gpuNode(1), func(n *Node) { n.Product = "T4" }), changed(gpuNode(1), func(n *Node) { n.Product = "H100" })}, nil, nil)
	const want = "nvidia.com/gpu A100-SXM4-40GB [] open=true nodes=1/1 alloc=2 largest=4\nnvidia.com/gpu H100 [] open=true nodes=1/1 alloc=1 largest=1\nnvidia.com/gpu T4 [] open=true nodes=1/1 alloc=8 largest=8"
	if got := text(Join(pools, more)); got != want {
		t.Errorf("got\n%s", got)
	}
}
