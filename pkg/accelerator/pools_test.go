package accelerator

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const gpu = "nvidia.com/gpu"

func gpuNode(name string, amount int64, taints ...corev1.Taint) Node {
	return Node{Name: name, Ready: true, Labels: map[string]string{"nvidia.com/gpu.product": "A100-SXM4-40GB"}, Taints: taints, Allocatable: map[string]int64{gpu: amount}}
}

func changed(node Node, change func(*Node)) Node {
	change(&node)
	return node
}

// text of pools, a line for each: what a person would compare.
func text(pools []Pool) string {
	lines := make([]string, 0, len(pools))
	for _, p := range pools {
		taints := make([]string, 0, len(p.Taints))
		for _, t := range p.Taints {
			taints = append(taints, TaintText(t))
		}
		lines = append(lines, fmt.Sprintf("%s %s [%s] open=%v nodes=%d/%d alloc=%d free=%d largest=%d",
			p.Resource, p.Product, strings.Join(taints, " "), p.Open(), p.Available, p.Nodes, p.Allocatable, p.Free(), p.LargestFree))
	}
	return strings.Join(lines, "\n")
}

func TestPools(t *testing.T) {
	present := taint(gpu, "present", noSchedule)
	tests := []struct {
		name  string
		nodes []Node
		rules Rules
		want  string
	}{
		{name: "nodes that are alike are one pool",
			nodes: []Node{gpuNode("a", 8, present), changed(gpuNode("b", 8, present), func(n *Node) { n.Requested = map[string]int64{gpu: 6} })},
			want:  "nvidia.com/gpu A100-SXM4-40GB [nvidia.com/gpu=present:NoSchedule] open=true nodes=2/2 alloc=16 free=10 largest=8"},
		{name: "a node without accelerators is in none", nodes: []Node{{Name: "cpu", Ready: true, Allocatable: map[string]int64{"example.com/nic": 1, gpu: 0}}}, want: ""},
		{name: "two hard taints: one of them a person's decision",
			nodes: []Node{gpuNode("a", 4, present, taint("kubernetes.io/arch", "arm64", noSchedule))},
			want:  "nvidia.com/gpu A100-SXM4-40GB [kubernetes.io/arch=arm64:NoSchedule nvidia.com/gpu=present:NoSchedule] open=false nodes=1/1 alloc=4 free=4 largest=4"},
		{name: "cordoned, not ready, and going nodes are not counted",
			nodes: []Node{
				gpuNode("a", 8, present),
				changed(gpuNode("b", 8, present), func(n *Node) { n.Unschedulable = true }),
				changed(gpuNode("c", 8, present), func(n *Node) { n.Ready = false }),
				gpuNode("d", 8, present, taint("ToBeDeletedByClusterAutoscaler", "1790000000", noSchedule)),
				gpuNode("e", 8, present, taint("DeletionCandidateOfClusterAutoscaler", "1790000001", prefer)),
			},
			want: "nvidia.com/gpu A100-SXM4-40GB [nvidia.com/gpu=present:NoSchedule] open=true nodes=2/5 alloc=16 free=16 largest=8"},
		{name: "a node with whole cards and slices is in two pools",
			nodes: []Node{changed(gpuNode("a", 1, present), func(n *Node) { n.Allocatable["nvidia.com/mig-1g.10gb"] = 7 })},
			want: "nvidia.com/gpu A100-SXM4-40GB [nvidia.com/gpu=present:NoSchedule] open=true nodes=1/1 alloc=1 free=1 largest=1\n" +
				"nvidia.com/mig-1g.10gb A100-SXM4-40GB [nvidia.com/gpu=present:NoSchedule] open=true nodes=1/1 alloc=7 free=7 largest=7"},
		{name: "approved values that rotate make one pool",
			nodes: []Node{gpuNode("a", 8, taint("capacity-reservation", "cr-1", noSchedule)), gpuNode("b", 8, taint("capacity-reservation", "cr-2", noSchedule))},
			rules: Rules{Approvals: []Approval{{Key: "capacity-reservation", AnyValue: true, Effect: noSchedule}}},
			want:  "nvidia.com/gpu A100-SXM4-40GB [capacity-reservation:NoSchedule] open=true nodes=2/2 alloc=16 free=16 largest=8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := text(Pools(tt.nodes, tt.rules)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// A pool does not depend on the order of nodes or taints.
func TestPoolsDoNotDependOnOrder(t *testing.T) {
	one, two := taint(gpu, "present", noSchedule), taint("dedicated", "ml", noSchedule)
	a := text(Pools([]Node{gpuNode("a", 8, one, two), gpuNode("b", 4, two, one)}, Rules{}))
	b := text(Pools([]Node{gpuNode("b", 4, one, two), gpuNode("a", 8, two, one)}, Rules{}))
	if a != b || strings.Count(a, "\n") != 0 {
		t.Errorf("got\n%s\nand\n%s", a, b)
	}
}
