package accelerator

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestFindMissing(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	bare := func(age time.Duration, change func(*Node)) Node {
		n := Node{Name: "bare", Ready: true, ReadySince: now.Add(-age), ProductLabel: "nvidia.com/gpu.product", Product: "A100-SXM4-40GB"}
		change(&n)
		return n
	}
	nothing := func(*Node) {}
	shared := gpuNode(0)
	shared.Allocatable = map[string]int64{"nvidia.com/gpu.shared": 40, gpu: 0}
	tests := []struct {
		name  string
		nodes []Node // the last one is looked at
		want  string
	}{
		{name: "a node that offers what others do", nodes: []Node{gpuNode(8)}, want: ""},
		{name: "a node of their product that does not, yet", nodes: []Node{gpuNode(8), bare(time.Minute, nothing)}, want: "Starting nvidia.com/gpu"},
		{name: "... after 15 minutes", nodes: []Node{gpuNode(8), bare(15*time.Minute, nothing)}, want: "Missing nvidia.com/gpu"},
		{name: "... whose clock is ahead", nodes: []Node{gpuNode(8), bare(-time.Hour, nothing)}, want: "Starting nvidia.com/gpu"},
		{name: "what others of the product offer counts more than what is usual", nodes: []Node{shared, bare(time.Minute, nothing)}, want: "Starting nvidia.com/gpu.shared"},
		{name: "the first of its product", nodes: []Node{bare(time.Minute, nothing)}, want: "Starting nvidia.com/gpu"},
		{name: "a label of several vendors says nothing alone", nodes: []Node{bare(time.Minute, func(n *Node) { n.ProductLabel = "karpenter.azure.com/sku-gpu-name" })}, want: ""},
		{name: "a node that is divided offers slices", nodes: []Node{gpuNode(8), bare(time.Hour, func(n *Node) { n.Allocatable = map[string]int64{"nvidia.com/mig-1g.10gb": 7} })}, want: ""},
		{name: "a node with devices of a driver", nodes: []Node{gpuNode(8), bare(time.Hour, func(n *Node) { n.Drivers = []string{"gpu.nvidia.com"} })}, want: ""},
		{name: "a node that is not ready is something else", nodes: []Node{gpuNode(8), bare(time.Hour, func(n *Node) { n.Ready = false })}, want: ""},
		{name: "a node without a product that has lost what it had", nodes: []Node{bare(time.Hour, func(n *Node) { n.Product, n.ProductLabel, n.Lost = "", "", "amd.com/gpu" })}, want: "Missing amd.com/gpu"},
		{name: "an ordinary node", nodes: []Node{bare(time.Hour, func(n *Node) { n.Product, n.ProductLabel = "", "" })}, want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			again := FindMissing(tt.nodes, now)
			last := &tt.nodes[len(tt.nodes)-1]
			if got := strings.TrimSpace(string(last.Plugin) + " " + last.Missing); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if again.IsZero() == (last.Plugin == PluginStarting) || again.After(last.ReadySince.Add(startingTime)) {
				t.Errorf("to be looked at again at %v", again)
			}
		})
	}
}

// TestMissingNodesArePartOfTheirPool: they are counted, have nothing to give, and their
// hardware taint is one.
func TestMissingNodesArePartOfTheirPool(t *testing.T) {
	now := time.Now()
	present := taint(gpu, "present", noSchedule)
	late := changed(gpuNode(0, present, taint("team", "a", noSchedule)), func(n *Node) { n.Name = "late" })
	nodes := []Node{gpuNode(8, present), changed(gpuNode(0, present), func(n *Node) { n.ReadySince = now }), late}
	FindMissing(nodes, now)
	pools := Accelerators(Pools(nodes, nil, nil))
	if len(pools) != 2 || pools[0].Nodes != 2 || pools[0].AvailableNodes != 1 || pools[0].StartingNodes != 1 || pools[0].Allocatable.Value() != 8 {
		t.Fatalf("got %+v", pools)
	}
	if pools[1].NodesWithoutPlugin != 1 || pools[1].AvailableNodes != 0 {
		t.Errorf("got %+v", pools[1])
	}
	for _, want := range []string{"nvidia.com/gpu A100-SXM4-40GB on late", "team=a:NoSchedule"} {
		if said := WithoutPlugin(nodes); !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
	many := make([]Node, 10)
	for i := range many {
		many[i] = Node{Name: string(rune('a' + i)), Missing: gpu, Plugin: PluginMissing, Taints: []corev1.Taint{taint("soft", "", prefer)}}
	}
	if said := WithoutPlugin(many); said != "no device plugin offers nvidia.com/gpu on a, b, c and 7 more" {
		t.Errorf("got %q", said)
	}
}

// TestDivided: hardware that is offered whole and in shares is said.
func TestDivided(t *testing.T) {
	node := func(name string, allocatable map[string]int64) Node {
		return Node{Name: name, Ready: true, Allocatable: allocatable}
	}
	mixed := map[string]int64{gpu: 2, "nvidia.com/mig-1g.10gb": 7, "nvidia.com/mig-2g.20gb": 3}
	broken := node("broken", mixed)
	broken.Ready = false
	got := Divided([]Node{
		node("b", mixed), node("a", mixed), node("whole", map[string]int64{gpu: 8, "nvidia.com/mig-1g.10gb": 0}), broken,
		node("divided", map[string]int64{gpu: 0, "nvidia.com/mig-1g.10gb": 7}), node("shared", map[string]int64{"amd.com/gpu": 1, "amd.com/gpu.shared": 4}),
	})
	want := "amd.com/gpu beside amd.com/gpu.shared is offered on shared: if none of the hardware was left whole, pods that ask for amd.com/gpu get there and fail; " +
		"nvidia.com/gpu beside nvidia.com/mig-1g.10gb is offered on a, b: if none of the hardware was left whole, pods that ask for nvidia.com/gpu get there and fail"
	if got != want {
		t.Errorf("got %q", got)
	}
}
