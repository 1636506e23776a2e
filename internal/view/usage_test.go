package view

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func pool(name, allocatable, requested, free string) v1alpha1.Pool {
	p := v1alpha1.Pool{Resource: name, Allocatable: resource.MustParse(allocatable)}
	if requested != "" {
		p.Requested, p.Free = ptr.To(resource.MustParse(requested)), ptr.To(resource.MustParse(free))
	}
	return p
}

// TestUsage: pools are summed up by resource; what is free of one pool alone is not what is
// free of the resource.
func TestUsage(t *testing.T) {
	member := v1alpha1.ClusterCapacity{Status: v1alpha1.ClusterCapacityStatus{Nodes: 3, ReadyNodes: 2, Pools: []v1alpha1.Pool{
		pool("nvidia.com/gpu", "8", "3", "5"), pool("nvidia.com/gpu", "4", "", ""), pool("cpu", "1500m", "1", "500m"), pool("cpu", "4", "1", "3"),
		pool("memory", "1Gi", "512Mi", "512Mi"), pool("rdma/hca", "2", "0", "2"),
	}}}
	member.Name = "oslo"
	rows := Usage([]v1alpha1.ClusterCapacity{member})
	want := map[string]Amounts{
		"nvidia.com/gpu": {Allocatable: "12"}, "cpu": {Allocatable: "5500m", Requested: "2", Free: "3500m"},
		"memory": {Allocatable: "1Gi", Requested: "512Mi", Free: "512Mi"}, "rdma/hca": {Allocatable: "2", Requested: "0", Free: "2"},
	}
	if !reflect.DeepEqual(rows[0].Resources, want) {
		t.Errorf("got %v, want %v", rows[0].Resources, want)
	}
	cells := UsageTable(rows).Rows[0].Cells
	wantCells := []any{"oslo", int32(3), int32(2), "5500m", "3500m", "1Gi", "512Mi", "-", "-", "nvidia.com/gpu=12", "-", "rdma/hca=2", "rdma/hca=2", "Unknown"}
	if !reflect.DeepEqual(cells, wantCells) {
		t.Errorf("got %v, want %v", cells, wantCells)
	}
}
