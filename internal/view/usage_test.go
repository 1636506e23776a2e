package view

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func total(name, allocatable, requested, free string) v1alpha1.Total {
	p := v1alpha1.Total{Resource: name, Allocatable: resource.MustParse(allocatable)}
	if requested != "" {
		p.Requested, p.Free = ptr.To(resource.MustParse(requested)), ptr.To(resource.MustParse(free))
	}
	return p
}

// TestUsage: what nobody knows is neither 0 nor left out.
func TestUsage(t *testing.T) {
	growing := total("cpu", "5500m", "2", "3500m")
	growing.Growth, growing.FreeAfterGrowing = ptr.To(resource.MustParse("10")), ptr.To(resource.MustParse("13500m"))
	endless := total("memory", "1Gi", "512Mi", "512Mi")
	endless.Unlimited = true
	member := v1alpha1.ClusterCapacity{Status: v1alpha1.ClusterCapacityStatus{Nodes: 3, ReadyNodes: 2, Resources: []v1alpha1.Total{
		total("nvidia.com/gpu", "12", "", ""), growing, endless, total("rdma/hca", "2", "0", "2"),
	}}}
	member.Name = "oslo"
	rows := Usage([]v1alpha1.ClusterCapacity{member})
	want := map[string]Resource{
		"nvidia.com/gpu": {Amounts: Amounts{Allocatable: "12"}},
		"cpu":            {Amounts: Amounts{Allocatable: "5500m", Requested: "2", Free: "3500m"}, Growth: "10", FreeAfterGrowing: "13500m"},
		"memory":         {Amounts: Amounts{Allocatable: "1Gi", Requested: "512Mi", Free: "512Mi"}, Unlimited: true},
		"rdma/hca":       {Amounts: Amounts{Allocatable: "2", Requested: "0", Free: "2"}},
	}
	if !reflect.DeepEqual(rows[0].Resources, want) {
		t.Errorf("got %v, want %v", rows[0].Resources, want)
	}
	cells := UsageTable(rows).Rows[0].Cells
	wantCells := []any{"oslo", int32(3), int32(2), "5500m", "3500m", "1Gi", "512Mi", "-", "-", "nvidia.com/gpu=12", "-", "rdma/hca=2", "rdma/hca=2", "cpu=10,memory=unlimited", "Unknown"}
	if !reflect.DeepEqual(cells, wantCells) {
		t.Errorf("got %v, want %v", cells, wantCells)
	}
}
