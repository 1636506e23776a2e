package accelerator

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func TestLimited(t *testing.T) {
	limits := func(pairs ...string) map[string]resource.Quantity {
		quantities := map[string]resource.Quantity{}
		for i := 0; i < len(pairs); i += 2 {
			quantities[pairs[i]] = resource.MustParse(pairs[i+1])
		}
		return quantities
	}
	nodes := []Node{
		{NodePool: "a", Allocatable: map[string]int64{gpu: 8, "cpu": 3500, "pods": 110}},
		{NodePool: "a", Allocatable: map[string]int64{gpu: 8}},
		{NodePool: "other", Allocatable: map[string]int64{gpu: 100}},
		{Allocatable: map[string]int64{gpu: 100}},
	}
	for _, tt := range []struct {
		name string
		pool NodePool
		want []string
	}{
		{"beyond what its nodes have", NodePool{Grows: true, Limits: limits(gpu, "64", "cpu", "10", "memory", "2Ti")},
			[]string{"cpu 10 6500m", "memory 2Ti 2Ti", gpu + " 64 48"}},
		{"beyond what Karpenter counts, where that is more", NodePool{Grows: true, Limits: limits(gpu, "64", "cpu", "10", "memory", "2Ti"), Has: map[string]int64{gpu: 24, "cpu": 4000, "memory": 1 << 40}},
			[]string{"cpu 10 6", "memory 2Ti 1Ti", gpu + " 64 40"}},
		{"over its limits", NodePool{Grows: true, Limits: limits(gpu, "8", "cpu", "0", "memory", "0")},
			[]string{"cpu 0 0", "memory 0 0", gpu + " 8 0"}},
		{"more than a node can have", NodePool{Grows: true, Limits: limits(gpu, "64", "cpu", "1M", "memory", "1Ei")},
			[]string{"cpu 1M 999996500m", "memory 1Ei 1Ei", gpu + " 64 48"}},
		{"without limits", NodePool{Grows: true, Has: map[string]int64{"amd.com/gpu": 1, "google.com/tpu": 0, "pods": 9}},
			[]string{"amd.com/gpu unlimited", "cpu unlimited", "memory unlimited", gpu + " unlimited"}},
		{"a limit of nodes alone", NodePool{Grows: true, NodesLimited: true}, nil},
		{"a limit of nodes as well", NodePool{Grows: true, NodesLimited: true, Limits: limits("cpu", "10")}, []string{"cpu 10 6500m"}},
		{"one that does not grow", NodePool{Limits: limits(gpu, "64")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.pool.Name, tt.pool.Taints = "a", []corev1.Taint{{Key: "dedicated"}}
			tt.pool.Product, tt.pool.ProductLabel = "H100", "nvidia.com/gpu.product"
			var got []string
			for _, g := range Limited([]NodePool{tt.pool}, nodes) {
				text := g.Resource + " unlimited"
				if !g.Unlimited {
					text = strings.Join([]string{g.Resource, g.Most.String(), g.More.String()}, " ")
				}
				if got = append(got, text); g.Source != v1alpha1.GrowthNodePool || g.Name != "a" || len(g.Taints) != 1 || g.Product != "H100" || g.ProductLabel == "" {
					t.Errorf("got %+v", g)
				}
			}
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(tt.want))) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	two := Limited([]NodePool{{Name: "b", Grows: true}, {Name: "a", Grows: true}}, nil)
	if len(two) != 4 || two[0].Name != "a" || two[3].Name != "b" {
		t.Errorf("in no order: %+v", two)
	}
}

// TestStartupOfNodePool: what passes on the nodes of one NodePool stays on others.
func TestStartupOfNodePool(t *testing.T) {
	taint := corev1.Taint{Key: "example.com/driver", Effect: corev1.TaintEffectNoSchedule}
	starting := Node{Ready: true, Taints: []corev1.Taint{taint}, Allocatable: map[string]int64{gpu: 8}, Startup: []v1alpha1.StartupTaint{{Key: taint.Key, Effect: taint.Effect}}}
	tainted := starting
	tainted.Startup = nil
	pools := Pools([]Node{starting, tainted}, nil, nil)
	if len(pools) != 2 || len(pools[0].Taints) != 0 || pools[0].AvailableNodes != 0 || len(pools[1].Taints) != 1 || pools[1].AvailableNodes != 1 {
		t.Errorf("got %+v", pools)
	}
}
