package accelerator

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// startingTime is how long a node may be Ready without what it should offer: drivers are
// built and device plugins installed on new nodes. Source: NVIDIA/k8s-device-plugin#1746 and
// aws/karpenter-provider-aws#1459 report up to that.
const startingTime = 15 * time.Minute

// Plugin is how far a node is that offers no accelerator, though it should.
type Plugin string

const (
	// PluginStarting is expected to run within startingTime.
	PluginStarting Plugin = "Starting"
	// PluginMissing does not run though that time is over.
	PluginMissing Plugin = "Missing"
)

// FindMissing notes on each node that is Ready and offers no accelerator which one it should
// offer, because nodes of its product do or because it has offered it before. It returns
// when to look again; the zero time if that is not needed.
func FindMissing(nodes []Node, now time.Time) (again time.Time) {
	usual := usualOffers(nodes)
	for i := range nodes {
		node := &nodes[i]
		node.Missing, node.Plugin = "", ""
		if !node.Ready || offersAny(node) {
			continue
		}
		if node.Missing = cmp.Or(usual[productOf(node)], usualOf(node.ProductLabel), node.Lost); node.Missing == "" {
			continue
		}
		until := node.ReadySince.Add(startingTime)
		if !now.Before(until) {
			node.Plugin = PluginMissing
			continue
		}
		node.Plugin = PluginStarting
		if again.IsZero() || until.Before(again) {
			again = until
		}
	}
	return again
}

type product struct{ label, value string }

func productOf(node *Node) product { return product{node.ProductLabel, node.Product} }

// usualOffers is what most nodes of each product offer.
func usualOffers(nodes []Node) map[product]string {
	counts := map[product]map[string]int{}
	for i := range nodes {
		node := &nodes[i]
		if node.Product == "" {
			continue
		}
		for name, amount := range node.Allocatable {
			if amount > 0 && IsAccelerator(name) {
				if counts[productOf(node)] == nil {
					counts[productOf(node)] = map[string]int{}
				}
				counts[productOf(node)][name]++
			}
		}
	}
	usual := map[product]string{}
	for of, offered := range counts {
		usual[of] = slices.MaxFunc(slices.Sorted(maps.Keys(offered)), func(a, b string) int { return cmp.Compare(offered[a], offered[b]) })
	}
	return usual
}

// offersAny tells whether a node offers any accelerator, as a resource or as devices: one
// that is divided or handed out in another way offers others than its product's.
func offersAny(node *Node) bool {
	for name, amount := range node.Allocatable {
		if amount > 0 && (IsAccelerator(name) || IsDevice(name)) {
			return true
		}
	}
	return len(node.Drivers) > 0
}

// mostNamed is how many nodes a sentence names.
const mostNamed = 3

// WithoutPlugin says which nodes do not offer what they should, and what may be the reason;
// empty if all do or are starting. FindMissing has looked at the nodes.
func WithoutPlugin(nodes []Node) string {
	lacking := map[string][]*Node{}
	for i := range nodes {
		if nodes[i].Plugin == PluginMissing {
			key := strings.TrimSpace(nodes[i].Missing + " " + nodes[i].Product)
			lacking[key] = append(lacking[key], &nodes[i])
		}
	}
	var sentences []string
	for _, what := range slices.Sorted(maps.Keys(lacking)) {
		sentences = append(sentences, sentence(what, lacking[what]))
	}
	return strings.Join(sentences, "; ")
}

// Divided says which nodes that are Ready offer a resource beside shares of it, such as
// nvidia.com/gpu beside nvidia.com/mig-1g.10gb; empty if none does. It may be meant so, and it
// may be what was offered before the hardware was divided, which nobody gets any more.
// Source: NVIDIA/gpu-operator#637.
func Divided(nodes []Node) string {
	both := map[string][]*Node{}
	for i := range nodes {
		if !nodes[i].Ready {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(nodes[i].Allocatable)) {
			if whole := BaseName(name); whole != name && IsAccelerator(name) && nodes[i].Allocatable[name] > 0 && nodes[i].Allocatable[whole] > 0 {
				both[whole+" beside "+name] = append(both[whole+" beside "+name], &nodes[i])
				break // one says it
			}
		}
	}
	var sentences []string
	for _, what := range slices.Sorted(maps.Keys(both)) {
		whole, _, _ := strings.Cut(what, " ")
		sentences = append(sentences, what+" is offered on "+named(both[what])+": if none of the hardware was left whole, pods that ask for "+whole+" get there and fail")
	}
	return strings.Join(sentences, "; ")
}

// named are the names of nodes, as many as a sentence has.
func named(nodes []*Node) string {
	names := make([]string, 0, len(nodes))
	for _, node := range nodes {
		names = append(names, node.Name)
	}
	slices.Sort(names)
	said := strings.Join(names[:min(len(names), mostNamed)], ", ")
	if more := len(names) - mostNamed; more > 0 {
		said += fmt.Sprintf(" and %d more", more)
	}
	return said
}

func sentence(what string, nodes []*Node) string {
	taints := map[string]bool{}
	for _, node := range nodes {
		for _, taint := range node.Taints {
			if taint.Effect != corev1.TaintEffectPreferNoSchedule {
				taints[taint.ToString()] = true
			}
		}
	}
	said := "no device plugin offers " + what + " on " + named(nodes)
	if len(taints) == 0 {
		return said
	}
	keys := slices.Sorted(maps.Keys(taints))
	return said + "; it may be kept out by " + strings.Join(keys[:min(len(keys), mostNamed)], ", ")
}
