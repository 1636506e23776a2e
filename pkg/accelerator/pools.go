package accelerator

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// Node is what counts of a node.
type Node struct {
	// Ready is one that is Ready and not cordoned.
	Ready bool
	// ProductLabel and Product are as the function Product finds them.
	ProductLabel, Product string
	Taints                []corev1.Taint
	// Allocatable is what the node offers of each accelerator, in whole units.
	Allocatable map[string]int64
}

// Pools groups nodes by what they offer, product and taints, in the order of these. A
// node that offers several resources is in a pool of each. startup are taints that pass
// in this cluster beside those that pass in all.
func Pools(nodes []Node, startup []v1alpha1.StartupTaint) []v1alpha1.Pool {
	pools := map[string]*v1alpha1.Pool{}
	for i := range nodes {
		node := &nodes[i]
		taints, available := standing(node, startup)
		for name, amount := range node.Allocatable {
			if amount > 0 && IsAccelerator(name) {
				add(pools, node, name, taints, available)
			}
		}
	}
	sorted := make([]v1alpha1.Pool, 0, len(pools))
	for _, key := range slices.Sorted(maps.Keys(pools)) {
		sorted = append(sorted, *pools[key])
	}
	return sorted
}

// standing says which taints of a node stay, and whether pods may be put on it now.
func standing(node *Node, startup []v1alpha1.StartupTaint) (taints []v1alpha1.PoolTaint, available bool) {
	available = node.Ready
	for _, taint := range node.Taints {
		if isPassing(taint, startup) {
			// PreferNoSchedule keeps nobody out, not even of a node that is about to go.
			available = available && taint.Effect == corev1.TaintEffectPreferNoSchedule
			continue
		}
		taints = append(taints, v1alpha1.PoolTaint{Key: taint.Key, Value: taint.Value, Effect: taint.Effect, Meaning: meaning(taint, node.Allocatable)})
	}
	slices.SortFunc(taints, compareTaints)
	return taints, available
}

func add(pools map[string]*v1alpha1.Pool, node *Node, resource string, taints []v1alpha1.PoolTaint, available bool) {
	key := poolKey(resource, node, taints)
	pool := pools[key]
	if pool == nil {
		pool = &v1alpha1.Pool{Resource: resource, ProductLabel: node.ProductLabel, Product: node.Product, Taints: taints}
		pools[key] = pool
	}
	pool.Nodes++
	pool.LargestNode = max(pool.LargestNode, node.Allocatable[resource])
	if available {
		pool.AvailableNodes++
		pool.Allocatable += node.Allocatable[resource]
	}
}

func poolKey(resource string, node *Node, taints []v1alpha1.PoolTaint) string {
	parts := []string{resource, node.Product, node.ProductLabel}
	for i := range taints {
		parts = append(parts, TaintText(taints[i]))
	}
	return strings.Join(parts, "\x00")
}

// TaintText writes a taint as kubectl does: key=value:effect, or key:effect.
func TaintText(taint v1alpha1.PoolTaint) string {
	if taint.Value == "" {
		return taint.Key + ":" + string(taint.Effect)
	}
	return taint.Key + "=" + taint.Value + ":" + string(taint.Effect)
}

func compareTaints(a, b v1alpha1.PoolTaint) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Effect, b.Effect))
}
