package accelerator

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// NodeGroup is what counts of machines that the cluster-autoscaler makes more of, such as a
// MachineDeployment of Cluster API's.
type NodeGroup struct {
	// Name is its kind, namespace and name.
	Name string
	// Most is how many nodes it can have, MostNodes at most, and Has how many it has, those on
	// their way included.
	Most, Has int64
	// Node is what a new node has of each resource, as Amount counts it, as far as somebody says so, and Labels and
	// Taints those that it will have.
	Node   map[string]int64
	Labels map[string]string
	Taints []corev1.Taint
}

// MostNodes is more than a cluster has.
const MostNodes = 1 << 16

// Grouped is the growth that node groups allow, in the order of their names: up to the most
// nodes, from those there are. Of a resource of which nobody says what a new node has there is
// no row.
func Grouped(groups []NodeGroup) []v1alpha1.Growth {
	groups = slices.Clone(groups)
	slices.SortFunc(groups, func(a, b NodeGroup) int { return strings.Compare(a.Name, b.Name) })
	var growth []v1alpha1.Growth
	for i := range groups {
		group := &groups[i]
		label, product := Product(group.Labels)
		for _, name := range slices.Sorted(maps.Keys(group.Node)) {
			most, more := Quantity(name, group.Node[name]*group.Most), Quantity(name, group.Node[name]*max(0, group.Most-group.Has))
			growth = append(growth, v1alpha1.Growth{
				Source: v1alpha1.GrowthNodeGroup, Name: group.Name, Resource: name, Most: &most, More: &more,
				ProductLabel: label, Product: product, Taints: group.Taints,
			})
		}
	}
	return growth
}
