package accelerator

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// Node is what counts of a node.
type Node struct {
	Name string
	// Ready is one that is Ready and not cordoned.
	Ready bool
	// ProductLabel and Product are as the function Product finds them.
	ProductLabel, Product string
	Taints                []corev1.Taint
	// Allocatable is what the node offers of each resource that IsCounted, as Amount counts it.
	Allocatable map[string]int64
	// ReadySince is when it has become Ready, and Lost an accelerator that it names and has
	// none of. Drivers are those that offer devices on it.
	ReadySince time.Time
	Lost       string
	Drivers    []string
	// NodePool is the one of Karpenter that the node is of, and Startup are the taints that
	// its new nodes have for a while.
	NodePool string
	Startup  []v1alpha1.StartupTaint
	// Machines is the cluster of Cluster API's that the node is of.
	Machines string
	// Missing is an accelerator that it should offer and does not, and Plugin how far that is;
	// FindMissing notes both.
	Missing string
	Plugin  Plugin
}

// Requests are what the pods on each node, by its name, ask for of each resource, as Amount
// counts it. nil is not known; a node that is missing has no pods.
type Requests map[string]map[string]int64

// Pools groups nodes by what they offer, product and taints, in the order of these,
// accelerators first. A node that offers several resources is in a pool of each. startup
// are taints that pass in this cluster beside those that pass in all.
func Pools(nodes []Node, requests Requests, startup []v1alpha1.StartupTaint) []v1alpha1.Pool {
	pools := map[string]*tally{}
	for i := range nodes {
		node := &nodes[i]
		taints, available := standing(node, startup)
		for name, amount := range node.Allocatable {
			if amount > 0 && IsCounted(name) {
				poolOf(pools, name, node, taints).add(amount, requests[node.Name][name], available)
			}
		}
		if node.Missing != "" {
			poolOf(pools, node.Missing, node, taints).lacks(node.Plugin)
		}
	}
	sorted := make([]v1alpha1.Pool, 0, len(pools))
	for _, key := range slices.Sorted(maps.Keys(pools)) {
		sorted = append(sorted, pools[key].sum(requests != nil))
	}
	return sorted
}

// Accelerators are the pools of resources that compute.
func Accelerators(pools []v1alpha1.Pool) []v1alpha1.Pool {
	// They come first, unless somebody else has written the pools.
	return slices.DeleteFunc(slices.Clone(pools), func(p v1alpha1.Pool) bool {
		return !IsAccelerator(p.Resource) && !IsDevice(p.Resource)
	})
}

// Join returns pools and those of more that are not among them, in one order. Of a pool that is
// in both it is known that there are nodes which offer as much as either says.
func Join(pools, more []v1alpha1.Pool) []v1alpha1.Pool {
	if len(more) == 0 {
		return pools
	}
	all := make(map[string]v1alpha1.Pool, len(pools)+len(more))
	for i := range pools {
		all[poolKey(&pools[i])] = pools[i]
	}
	for i := range more {
		key := poolKey(&more[i])
		pool, known := all[key]
		switch {
		case !known:
			pool = more[i]
		case more[i].LargestNode.Cmp(pool.LargestNode) > 0:
			pool.LargestNode = more[i].LargestNode
		}
		all[key] = pool
	}
	joined := make([]v1alpha1.Pool, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		joined = append(joined, all[key])
	}
	return joined
}

// Narrows says whether there is a pool of accelerators that keeps pods out, and was not there
// before: what opens others may be opening it as well, until somebody hears of it. Where there
// were none, nothing is open.
func Narrows(before, after []v1alpha1.Pool) bool {
	known := map[string]bool{}
	for i := range before {
		if p := &before[i]; IsAccelerator(p.Resource) || IsDevice(p.Resource) {
			known[poolKey(p)] = true
		}
	}
	return len(known) > 0 && slices.ContainsFunc(after, func(p v1alpha1.Pool) bool {
		return (IsAccelerator(p.Resource) || IsDevice(p.Resource)) && !known[poolKey(&p)] &&
			slices.ContainsFunc(p.Taints, func(t v1alpha1.PoolTaint) bool { return t.Meaning == v1alpha1.TaintRestricted })
	})
}

// standing says which taints of a node stay, and whether pods may be put on it now.
func standing(node *Node, startup []v1alpha1.StartupTaint) (taints []v1alpha1.PoolTaint, available bool) {
	available = node.Ready
	for _, taint := range node.Taints {
		if isPassing(taint, startup) || isPassing(taint, node.Startup) {
			// PreferNoSchedule keeps nobody out, not even of a node that is about to go.
			available = available && taint.Effect == corev1.TaintEffectPreferNoSchedule
			continue
		}
		taints = append(taints, v1alpha1.PoolTaint{Key: taint.Key, Value: taint.Value, Effect: taint.Effect, Meaning: meaning(taint, node)})
	}
	slices.SortFunc(taints, compareTaints)
	return taints, available
}

// tally is a pool that is being summed up, in amounts.
type tally struct {
	pool                                               v1alpha1.Pool
	allocatable, largest, requested, free, largestFree int64
}

func poolOf(pools map[string]*tally, resource string, node *Node, taints []v1alpha1.PoolTaint) *tally {
	pool := v1alpha1.Pool{Resource: resource, ProductLabel: node.ProductLabel, Product: node.Product, Taints: taints}
	key := poolKey(&pool)
	if pools[key] == nil {
		pools[key] = &tally{pool: pool}
	}
	return pools[key]
}

// add takes in a node that offers an amount of which so much is asked for.
func (t *tally) add(amount, requested int64, available bool) {
	t.pool.Nodes++
	t.largest = max(t.largest, amount)
	if !available {
		return
	}
	// A node may have lost what its pods were given.
	free := max(0, amount-requested)
	t.pool.AvailableNodes++
	t.allocatable += amount
	t.requested += requested
	t.free += free
	t.largestFree = max(t.largestFree, free)
}

// lacks takes in a node that should offer something and does not.
func (t *tally) lacks(plugin Plugin) {
	t.pool.Nodes++
	if plugin == PluginStarting {
		t.pool.StartingNodes++
		return
	}
	t.pool.NodesWithoutPlugin++
}

// sum is the pool with its amounts.
func (t *tally) sum(requestsKnown bool) v1alpha1.Pool {
	quantity := func(amount int64) resource.Quantity { return Quantity(t.pool.Resource, amount) }
	t.pool.Allocatable, t.pool.LargestNode = quantity(t.allocatable), quantity(t.largest)
	if requestsKnown {
		t.pool.Requested, t.pool.Free, t.pool.LargestFree = ptr.To(quantity(t.requested)), ptr.To(quantity(t.free)), ptr.To(quantity(t.largestFree))
	}
	return t.pool
}

// poolKey is where a pool is in their order, and no two have the same.
func poolKey(p *v1alpha1.Pool) string {
	parts := make([]string, 0, 4+2*len(p.Taints))
	parts = append(parts, rank(p.Resource), p.Resource, p.Product, p.ProductLabel)
	for i := range p.Taints {
		// The same taint may be the mark of one node's hardware and a decision on another.
		parts = append(parts, TaintText(p.Taints[i]), string(p.Taints[i].Meaning))
	}
	return strings.Join(parts, "\x00")
}

// rank puts accelerators first: where not all pools fit, those are told.
func rank(resource string) string {
	switch {
	case IsAccelerator(resource), IsDevice(resource):
		return "0"
	case isExtended(resource):
		return "2"
	}
	return "1"
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
