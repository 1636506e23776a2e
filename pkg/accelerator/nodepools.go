package accelerator

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// NodePool is what counts of a NodePool of Karpenter.
// Source: kubernetes-sigs/karpenter, pkg/apis/v1.
type NodePool struct {
	Name string
	// Grows is one that starts nodes for pods that have no place.
	Grows bool
	// Limits are the most that there can be of each resource on its nodes together, and
	// NodesLimited says that there is a most of nodes as well.
	Limits       map[string]resource.Quantity
	NodesLimited bool
	// Has is what Karpenter counts against the limits: nodes that are on their way too.
	Has map[string]int64
	// Product is what all its nodes will say they are, and ProductLabel the label that says it;
	// empty where they may be several, or nobody says.
	Product, ProductLabel string
	// Taints are those that its nodes have and keep, Startup those that pass.
	Taints  []corev1.Taint
	Startup []v1alpha1.StartupTaint
}

// Limited is the growth that NodePools allow: up to their limits, from what they have now.
// Of a resource for which a NodePool sets no limit, and which its nodes bring, there is no
// number.
func Limited(pools []NodePool, nodes []Node) []v1alpha1.Growth {
	there := map[string]map[string]int64{}
	for i := range nodes {
		if name := nodes[i].NodePool; name != "" {
			if there[name] == nil {
				there[name] = map[string]int64{}
			}
			for resourceName, amount := range nodes[i].Allocatable {
				there[name][resourceName] += amount
			}
		}
	}
	sorted := slices.Clone(pools)
	slices.SortFunc(sorted, func(a, b NodePool) int { return strings.Compare(a.Name, b.Name) })
	var growth []v1alpha1.Growth
	for i := range sorted {
		if sorted[i].Grows {
			growth = append(growth, sorted[i].growth(there[sorted[i].Name])...)
		}
	}
	return growth
}

// growth is how far the pool can grow whose nodes offer so much.
func (p *NodePool) growth(there map[string]int64) []v1alpha1.Growth {
	rows := map[string]v1alpha1.Growth{}
	for name, most := range p.Limits {
		// Karpenter's count may not be there yet.
		more := most.DeepCopy()
		if more.Sub(Quantity(name, max(p.Has[name], there[name]))); more.Sign() < 0 {
			more = Quantity(name, 0)
		}
		rows[name] = v1alpha1.Growth{Most: &most, More: &more}
	}
	for _, name := range p.unlimited(there) {
		rows[name] = v1alpha1.Growth{Unlimited: true}
	}
	growth := make([]v1alpha1.Growth, 0, len(rows))
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		row := rows[name]
		row.Source, row.Name, row.Resource, row.Taints = v1alpha1.GrowthNodePool, p.Name, name, p.Taints
		row.Product, row.ProductLabel = p.Product, p.ProductLabel
		growth = append(growth, row)
	}
	return growth
}

// unlimited are the resources that have no limit: of cpu and memory, which every node has,
// and of extended resources that nodes of the pool have now. Which others new nodes would
// have is not known. Where the number of nodes is limited, so is everything, by nobody
// knows how much.
func (p *NodePool) unlimited(there map[string]int64) (names []string) {
	if p.NodesLimited {
		return nil
	}
	brought := map[string]bool{string(corev1.ResourceCPU): true, string(corev1.ResourceMemory): true}
	for _, amounts := range []map[string]int64{p.Has, there} {
		for name, amount := range amounts {
			brought[name] = brought[name] || isExtended(name) && amount > 0
		}
	}
	for name, is := range brought {
		if _, limited := p.Limits[name]; is && !limited {
			names = append(names, name)
		}
	}
	return names
}
