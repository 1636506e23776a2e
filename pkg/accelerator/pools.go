package accelerator

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Node is what counts of a node.
type Node struct {
	Name  string
	Ready bool
	// Unschedulable is a cordon.
	Unschedulable bool
	// Labels need only hold those that name a product.
	Labels map[string]string
	Taints []corev1.Taint
	// Allocatable is what the node offers of each accelerator, in whole units.
	Allocatable map[string]int64
	// Requested is what the pods that are bound to it and have not ended ask for. Nil
	// when pods are not known.
	Requested map[string]int64
}

// Rules are the decisions of people that the judgement of taints follows.
type Rules struct {
	// StartupTaints are those that a cluster's pools put on new nodes and take away
	// later, such as a Karpenter NodePool's startupTaints. Values do not matter.
	StartupTaints []corev1.Taint
	Approvals     []Approval
}

// Pool is the nodes of one cluster that are alike to a pod which asks for a resource.
type Pool struct {
	Resource string
	// ProductLabel and Product are empty when the nodes do not say what they are.
	ProductLabel, Product string
	// Taints are those that stay: without the passing ones, by key, value and effect.
	Taints []corev1.Taint
	// Nodes is how many there are; Available how many of them are Ready, not cordoned and
	// free of passing taints.
	Nodes, Available int
	// Allocatable and Requested are sums over the available nodes, in whole units, and
	// LargestFree is the most that one of them has left.
	Allocatable, Requested, LargestFree int64
	// Tolerations let a pod pass all taints of the pool, unless some are Blocking.
	Tolerations []corev1.Toleration
	// Blocking are the taints that keep pods out until a person approves them.
	Blocking []corev1.Taint
}

// Open tells whether a pod with the pool's Tolerations passes all its taints.
func (p Pool) Open() bool { return len(p.Blocking) == 0 }

// Free is how much of the resource no pod has asked for on the available nodes.
func (p Pool) Free() int64 { return p.Allocatable - p.Requested }

// Pools groups nodes by what they offer, product and taints, in the order of these. A
// node that offers several resources is in a pool of each.
func Pools(nodes []Node, rules Rules) []Pool {
	pools := map[string]*Pool{}
	for _, node := range nodes {
		facts := standing(node, rules)
		for name, amount := range node.Allocatable {
			if amount > 0 && IsAccelerator(name) {
				facts.addTo(pools, name, node)
			}
		}
	}
	keys := slices.Sorted(maps.Keys(pools))
	sorted := make([]Pool, 0, len(keys))
	for _, key := range keys {
		sorted = append(sorted, *pools[key])
	}
	return sorted
}

// stand is how a node stands to pods: what holds for each of its resources.
type stand struct {
	taints, blocking []corev1.Taint
	tolerations      []corev1.Toleration
	available        bool
}

func standing(node Node, rules Rules) stand {
	s := stand{available: node.Ready && !node.Unschedulable}
	for _, taint := range node.Taints {
		taint.TimeAdded = nil
		judgement, toleration := judge(taint, node, rules)
		if judgement == Passing {
			// PreferNoSchedule keeps nobody out, not even of a node that is about to go.
			s.available = s.available && taint.Effect == corev1.TaintEffectPreferNoSchedule
			continue
		}
		s.taints = append(s.taints, normalised(taint, rules))
		if toleration != nil {
			s.tolerations = append(s.tolerations, *toleration)
		}
		if judgement == Blocking {
			s.blocking = append(s.blocking, taint)
		}
	}
	slices.SortFunc(s.taints, compareTaints)
	slices.SortFunc(s.blocking, compareTaints)
	s.tolerations = MergeTolerations(nil, s.tolerations)
	return s
}

// normalised leaves the value out where a person has said that it rotates: each value
// would make a pool of its own.
func normalised(taint corev1.Taint, rules Rules) corev1.Taint {
	rotates := slices.ContainsFunc(rules.Approvals, func(a Approval) bool { return a.AnyValue && a.opens(taint) })
	if rotates {
		taint.Value = ""
	}
	return taint
}

func (s stand) addTo(pools map[string]*Pool, resource string, node Node) {
	label, product := Product(node.Labels)
	key := poolKey(resource, label, product, s.taints)
	pool := pools[key]
	if pool == nil {
		pool = &Pool{Resource: resource, ProductLabel: label, Product: product, Taints: s.taints, Tolerations: s.tolerations, Blocking: s.blocking}
		pools[key] = pool
	}
	pool.Nodes++
	if !s.available {
		return
	}
	allocatable, requested := node.Allocatable[resource], node.Requested[resource]
	pool.Available++
	pool.Allocatable += allocatable
	pool.Requested += requested
	pool.LargestFree = max(pool.LargestFree, allocatable-requested)
}

func poolKey(resource, label, product string, taints []corev1.Taint) string {
	parts := []string{resource, product, label}
	for i := range taints {
		parts = append(parts, TaintText(taints[i]))
	}
	return strings.Join(parts, "\x00")
}

// TaintText writes a taint as kubectl does: key=value:effect, or key:effect.
func TaintText(taint corev1.Taint) string {
	if taint.Value == "" {
		return taint.Key + ":" + string(taint.Effect)
	}
	return taint.Key + "=" + taint.Value + ":" + string(taint.Effect)
}

func compareTaints(a, b corev1.Taint) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Effect, b.Effect))
}
