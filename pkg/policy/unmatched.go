package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/accelerator"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// mostUnmatched is how much is told of a policy that no cluster has.
const mostUnmatched = 5

// Unmatched says what the rules of a policy name that there is none of: clusters that have not
// joined, accelerators, products, labels and versions that no member has, and approved taints
// that no pool has in the rule's clusters. Each begins with the field. That is no fault, since clusters come and go, but it may be mistyped. What depends
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
	said = append(said, f.unmatchedApprovals(r)...)
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

// unmatchedApprovals says which taints the rule approves that open nothing in its clusters; of
// a rule without clusters that is said already.
func (f *Fleet) unmatchedApprovals(r *rule) (said []string) {
	if r.derive == nil || len(r.derive.Approve) == 0 {
		return nil
	}
	taints, certain := f.taintsFor(r.clusters)
	if !certain {
		return nil
	}
	for i, a := range r.derive.Approve {
		field := r.field + ".deriveTolerations.approve[" + strconv.Itoa(i) + "]"
		if accelerator.Passes(a.Key) {
			said = append(said, field+": "+strconv.Quote(a.Key)+" is a taint of nodes that are broken, starting or about to go, which nothing tolerates")
			continue
		}
		if !slices.ContainsFunc(taints, func(t clusterv1alpha1.PoolTaint) bool { return accelerator.Opens(a, t) }) {
			said = append(said, field+": no pool of accelerators in the clusters of the rule has the taint "+approvedText(a)+" now"+likely(a, taints))
		}
	}
	return said
}

// taintsFor are the taints of all pools in the clusters that are selected. certain is false where
// none is, or not all that counts has been read.
func (f *Fleet) taintsFor(selector *clusterSelector) (taints []clusterv1alpha1.PoolTaint, certain bool) {
	for _, name := range f.names {
		c := f.clusters[name]
		selected, known := selector.selects(name, c)
		if !known || selected && (!c.Known || c.DevicesUnread) {
			return nil, false
		}
		if !selected {
			continue
		}
		certain = true
		for i := range c.Pools {
			taints = append(taints, c.Pools[i].Taints...)
		}
	}
	return taints, certain
}

// likely says which taint may have been meant: the first one of the same key, or else of a key
// that is another only by its case or its prefix.
func likely(a accelerator.Approval, taints []clusterv1alpha1.PoolTaint) string {
	name := func(key string) string { return strings.ToLower(key[strings.LastIndexByte(key, '/')+1:]) }
	for _, alike := range []func(key string) bool{
		func(key string) bool { return key == a.Key },
		func(key string) bool { return name(key) == name(a.Key) },
	} {
		var texts []string
		for _, taint := range taints {
			if alike(taint.Key) {
				texts = append(texts, accelerator.TaintText(taint))
			}
		}
		if len(texts) > 0 {
			return "; there is " + slices.Min(texts)
		}
	}
	return ""
}

// approvedText is a taint as people write it.
func approvedText(a accelerator.Approval) string {
	taint := clusterv1alpha1.PoolTaint{Key: a.Key, Value: a.Value, Effect: a.Effect}
	if a.AnyValue {
		return accelerator.TaintText(taint) + " with any value"
	}
	return accelerator.TaintText(taint)
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
