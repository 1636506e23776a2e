package accelerator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// mostScalable is how long an annotation is that says how far a cluster can grow.
const mostScalable = 4 << 10

// ParseScalable reads how much there can be of resources in a cluster, such as
// "nvidia.com/gpu=64,cpu=512", in amounts.
func ParseScalable(text string) (map[string]int64, error) {
	if len(text) > mostScalable {
		return nil, fmt.Errorf("it is longer than %d bytes", mostScalable)
	}
	most := map[string]int64{}
	for word := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(word), "=")
		quantity, err := resource.ParseQuantity(value)
		_, twice := most[name]
		switch {
		case !found:
			return nil, fmt.Errorf("%q is not of the form resource=amount, such as nvidia.com/gpu=64", word)
		case !IsCounted(name):
			return nil, fmt.Errorf("%q is neither cpu, memory, pods nor an extended resource", name)
		case twice:
			return nil, fmt.Errorf("%s is there twice", name)
		case err != nil || quantity.Sign() <= 0:
			return nil, fmt.Errorf("%s: %q is not an amount greater than 0", name, value)
		}
		most[name] = Amount(name, quantity)
	}
	return most, nil
}

// Declared is the growth of a cluster that has so much of resources at most: more than its
// nodes offer now, whether pods may be put on them or not.
func Declared(most map[string]int64, nodes []Node) []v1alpha1.Growth {
	there := map[string]int64{}
	for i := range nodes {
		for name, amount := range nodes[i].Allocatable {
			there[name] += amount
		}
	}
	growth := make([]v1alpha1.Growth, 0, len(most))
	for _, name := range slices.Sorted(maps.Keys(most)) {
		growth = append(growth, v1alpha1.Growth{
			Source: v1alpha1.GrowthDeclared, Resource: name,
			Most: ptr.To(Quantity(name, most[name])), More: ptr.To(Quantity(name, max(0, most[name]-there[name]))),
		})
	}
	return growth
}

// Totals sums pools and growth up by resource, in the order of the names. Where somebody has
// declared how far a resource can grow, that counts, and not what else is known.
func Totals(pools []v1alpha1.Pool, growth []v1alpha1.Growth) []v1alpha1.Total {
	totals := map[string]*v1alpha1.Total{}
	of := func(name string) *v1alpha1.Total {
		if totals[name] == nil {
			totals[name] = &v1alpha1.Total{Resource: name, Allocatable: Quantity(name, 0)}
		}
		return totals[name]
	}
	for i := range pools {
		p, t := &pools[i], of(pools[i].Resource)
		t.Allocatable.Add(p.Allocatable)
		t.Requested, t.Free = added(t.Requested, p.Requested), added(t.Free, p.Free)
	}
	declared := map[string]bool{}
	for i := range growth {
		declared[growth[i].Resource] = declared[growth[i].Resource] || growth[i].Source == v1alpha1.GrowthDeclared
	}
	for i := range growth {
		g := &growth[i]
		if declared[g.Resource] == (g.Source == v1alpha1.GrowthDeclared) {
			t := of(g.Resource)
			t.Growth, t.Unlimited = added(t.Growth, g.More), t.Unlimited || g.Unlimited
		}
	}
	sorted := make([]v1alpha1.Total, 0, len(totals))
	for _, name := range slices.Sorted(maps.Keys(totals)) {
		t := totals[name]
		if t.Unlimited {
			t.Growth = nil
		}
		if t.Growth != nil {
			// Nothing is used of what is not there.
			t.FreeAfterGrowing = added(added(nil, t.Growth), t.Free)
			if t.Free == nil && t.Allocatable.Sign() > 0 {
				t.FreeAfterGrowing = nil
			}
		}
		sorted = append(sorted, *t)
	}
	return sorted
}

// added is a sum; nil is not known, and stays so.
func added(sum, more *resource.Quantity) *resource.Quantity {
	if more == nil {
		return sum
	}
	total := more.DeepCopy()
	if sum != nil {
		total.Add(*sum)
	}
	return ptr.To(total)
}
