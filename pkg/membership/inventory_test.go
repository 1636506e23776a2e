package membership

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func nodeWith(name string, labels map[string]string, allocatable map[string]string) corev1.Node {
	node := corev1.Node{Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{}}}
	node.Name, node.Labels = name, labels
	for resourceName, quantity := range allocatable {
		node.Status.Allocatable[corev1.ResourceName(resourceName)] = resource.MustParse(quantity)
	}
	return node
}

func TestInventoryOf(t *testing.T) {
	nodes := []corev1.Node{
		nodeWith("b", map[string]string{corev1.LabelTopologyRegion: "west", corev1.LabelTopologyZone: "z2"}, map[string]string{"nvidia.com/gpu": "8", "cpu": "4"}),
		nodeWith("a", map[string]string{legacyRegionLabel: "east", legacyZoneLabel: "z1"}, map[string]string{"nvidia.com/gpu": "8", "amd.com/gpu": "0"}),
		nodeWith("c", map[string]string{corev1.LabelTopologyZone: "z1"}, map[string]string{"amd.com/gpu": "2", "example.com/fuse": "9"}),
		nodeWith("d", nil, nil),
	}
	want := Nodes{Count: 4, Region: "east", Zones: []string{"z1", "z2"}, Accelerators: map[string]int64{"nvidia.com/gpu": 16, "amd.com/gpu": 2}}
	if diff := cmp.Diff(want, inventoryOf(nodes)); diff != "" {
		t.Errorf("inventory (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Nodes{Accelerators: map[string]int64{}}, inventoryOf(nil)); diff != "" {
		t.Errorf("inventory of no nodes (-want +got):\n%s", diff)
	}
}
