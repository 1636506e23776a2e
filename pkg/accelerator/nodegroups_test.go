package accelerator

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func TestGrouped(t *testing.T) {
	growth := Grouped([]NodeGroup{
		{Name: "b", Most: 3, Has: 5, Node: map[string]int64{"cpu": 1500, gpu: 8}},
		{Name: "a", Most: 6, Has: 2, Node: map[string]int64{"cpu": 1500, "memory": 1 << 30, gpu: 8}, Labels: map[string]string{"nvidia.com/gpu.product": "H100"}, Taints: []corev1.Taint{{Key: "dedicated"}}},
		{Name: "c", Most: 6},
		{Name: "d", Most: MostNodes, Node: map[string]int64{"memory": mostAmount}},
	})
	var got []string
	for _, g := range growth {
		got = append(got, strings.Join([]string{g.Name, g.Resource, g.Most.String(), g.More.String(), g.Product}, " "))
		if g.Source != v1alpha1.GrowthNodeGroup || (g.Name == "a") != (len(g.Taints) == 1) {
			t.Errorf("got %+v", g)
		}
	}
	want := []string{"a cpu 9 6 H100", "a memory 6Gi 4Gi H100", "a " + gpu + " 48 32 H100", "b cpu 4500m 0 ", "b " + gpu + " 24 0 ", "d memory 4Ei 4Ei "}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	totals := Totals(nil, append(growth, Declared(map[string]int64{"cpu": 1000}, nil)...))
	if totals[0].Growth.String() != "1" || totals[len(totals)-1].Growth.String() != "32" {
		t.Errorf("what is declared does not count, or what is not does: %+v", totals)
	}
}
