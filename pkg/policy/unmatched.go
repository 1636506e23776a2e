package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/accelerator"
)

// mostUnmatched is how much is told of a policy that no cluster has.
const mostUnmatched = 5

// Unmatched says what the rules of a policy name that there is none of: clusters that have not
// joined, and accelerators, products, labels and versions that no member has. Each begins with
// the field. That is no fault, since clusters come and go, but it may be mistyped. What depends
// on clusters that have never been read is not told.
func (f *Fleet) Unmatched(p *Policy) []string {
	if p.problem != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if said, found := f.unmatched[p]; found {
		return said
	}
	var said []string
	for i := range p.rules {
		said = append(said, f.unmatchedBy(&p.rules[i])...)
	}
	if more := len(said) - mostUnmatched; more > 0 {
		said = append(said[:mostUnmatched:mostUnmatched], fmt.Sprintf("and %d more that there is none of", more))
	}
	if f.unmatched == nil {
		f.unmatched = map[*Policy][]string{}
	}
	f.unmatched[p] = said
	return said
}

// UnmatchedKinds says which kinds the selectors of a policy name that none of the federated ones is.
func (p *Policy) UnmatchedKinds(federated []schema.GroupKind) (said []string) {
	for i := range p.selectors {
		s := &p.selectors[i]
		names := func(kind schema.GroupKind) bool {
			return (s.Kind == "" || s.Kind == kind.Kind) && (s.Group == "" || s.Group == kind.Group)
		}
		if slices.ContainsFunc(federated, names) {
			continue
		}
		said = append(said, fmt.Sprintf("spec.selectors[%d]: no type of the kind %q is federated", i, schema.GroupKind{Group: s.Group, Kind: s.Kind}.String()))
		if len(said) == mostUnmatched {
			break
		}
	}
	return said
}

// unmatchedBy is Unmatched of one rule.
func (f *Fleet) unmatchedBy(r *rule) []string {
	said := f.unmatchedClusters(r)
	if len(said) == 0 && r.clusters != nil && f.meetNone(r.clusters.selects) {
		said = append(said, r.field+".clusters: no cluster has joined that meets all of it")
	}
	for _, list := range []struct {
		name   string
		values map[string]any
	}{{"requests", r.requests}, {"limits", r.limits}} {
		for _, name := range slices.Sorted(maps.Keys(list.values)) {
			if accelerator.IsAccelerator(name) && f.offersNone(name, "") {
				said = append(said, r.field+".resources."+list.name+"["+name+"]: no node of a member offers it now")
			}
		}
	}
	return said
}

// unmatchedClusters says what in the rule's selection of clusters meets none by itself.
func (f *Fleet) unmatchedClusters(r *rule) (said []string) {
	s := r.clusters
	if s == nil {
		return nil
	}
	field := r.field + ".clusters"
	for i, name := range s.Names {
		if _, joined := f.clusters[name]; !joined {
			said = append(said, field+".names["+strconv.Itoa(i)+"]: no cluster "+strconv.Quote(name)+" has joined")
		}
	}
	only := func(part clusterSelector) func(string, Cluster) (bool, bool) { return part.selects }
	if s.labels != nil && f.meetNone(only(clusterSelector{labels: s.labels})) {
		said = append(said, field+".labelSelector: no cluster has such labels")
	}
	if s.versions != nil && f.meetNone(only(clusterSelector{versions: s.versions})) {
		said = append(said, field+".kubernetesVersion: no cluster has such a version")
	}
	switch {
	case s.Accelerator != "" && f.offersNone(s.Accelerator, ""):
		said = append(said, field+".accelerator: no node of a member offers "+strconv.Quote(s.Accelerator)+" now")
	case s.Product != "" && f.offersNone(s.Accelerator, s.Product):
		said = append(said, field+".product: no node of a member offers "+strconv.Quote(s.Product)+" now")
	}
	return said
}

// meetNone says whether it is certain that no cluster is selected.
func (f *Fleet) meetNone(selects func(name string, c Cluster) (selected, known bool)) bool {
	return !slices.ContainsFunc(f.names, func(name string) bool {
		selected, known := selects(name, f.clusters[name])
		return selected || !known
	})
}

// offersNone says whether it is certain that no cluster offers a resource, of a product where
// that is given.
func (f *Fleet) offersNone(resource, product string) bool {
	s := clusterSelector{}
	s.Accelerator, s.Product = resource, product
	return f.meetNone(s.selects)
}
