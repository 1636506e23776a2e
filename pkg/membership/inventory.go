package membership

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// legacy labels, which KubeFed read and old clusters have.
const (
	legacyRegionLabel = "failure-domain.beta.kubernetes.io/region"
	legacyZoneLabel   = "failure-domain.beta.kubernetes.io/zone"
)

// What is written of a member's nodes is bounded: more is not a fleet's.
const (
	mostZones        = 256
	mostAccelerators = 64
	mostOfName       = validation.DNS1123SubdomainMaxLength + 1 + validation.LabelValueMaxLength
)

// inventoryOf sums nodes up. The region is that of the first node which has one,
// in order of names, so that it does not depend on the order of the list.
func inventoryOf(nodes []corev1.Node) Nodes {
	inv := Nodes{Count: len(nodes), Accelerators: map[string]int64{}}
	zones := map[string]bool{}
	regionOf := ""
	for i := range nodes {
		node := &nodes[i]
		if region := labelOf(node, corev1.LabelTopologyRegion, legacyRegionLabel); region != "" && (regionOf == "" || node.Name < regionOf) {
			inv.Region, regionOf = region, node.Name
		}
		if zone := labelOf(node, corev1.LabelTopologyZone, legacyZoneLabel); zone != "" {
			zones[zone] = true
		}
		for name, quantity := range node.Status.Allocatable {
			addAccelerator(inv.Accelerators, string(name), quantity)
		}
	}
	inv.Zones = slices.Sorted(maps.Keys(zones))
	inv.Zones = inv.Zones[:min(len(inv.Zones), mostZones)]
	return inv
}

func labelOf(node *corev1.Node, label, legacy string) string {
	// No API server takes a longer value, but not every member need be one.
	return errtext.Bounded(cmp.Or(node.Labels[label], node.Labels[legacy]), validation.LabelValueMaxLength)
}

func addAccelerator(sum map[string]int64, name string, quantity resource.Quantity) {
	_, known := sum[name]
	if accelerator.IsAccelerator(name) && quantity.Sign() > 0 && errtext.Bounded(name, mostOfName) == name && (known || len(sum) < mostAccelerators) {
		sum[name] += quantity.Value()
	}
}

// listInventory lists the nodes from the API server's cache, which costs its
// etcd nothing.
func listInventory(ctx context.Context, reader client.Reader) (*Nodes, error) {
	var nodes corev1.NodeList
	if err := reader.List(ctx, &nodes, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}); err != nil {
		return nil, err
	}
	inv := inventoryOf(nodes.Items)
	return &inv, nil
}

// Annotations of a KubeFedCluster that the provider keeps, for those who list
// clusters. They change only when what they say does.
const (
	// NodesAnnotation is the number of the member's nodes.
	NodesAnnotation = "fedctl.io/nodes"
	// AcceleratorsAnnotation is the allocatable amount of each accelerator, such as
	// "amd.com/gpu=4,nvidia.com/gpu=16"; empty when there is none.
	AcceleratorsAnnotation = "fedctl.io/accelerators"
)

// annotations returns what the inventory's annotations should say.
func (inv *Nodes) annotations() map[string]string {
	parts := make([]string, 0, len(inv.Accelerators))
	for _, name := range slices.Sorted(maps.Keys(inv.Accelerators)) {
		parts = append(parts, fmt.Sprintf("%s=%d", name, inv.Accelerators[name]))
	}
	return map[string]string{
		NodesAnnotation:        strconv.Itoa(inv.Count),
		AcceleratorsAnnotation: strings.Join(parts, ","),
	}
}
