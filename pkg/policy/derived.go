package policy

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/accelerator"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/workload"
)

// Derived says from what a rule derives something that it adds to an object.
type Derived struct {
	// Reason names taints and nodes, or products.
	Reason string

	// field is where it is, and toleration what it is; nil for what keeps pods to nodes.
	field      string
	toleration map[string]any
}

// Explains says whether a field that a rule has changed holds what was derived.
func (d *Derived) Explains(field string, value any) bool {
	if !strings.HasPrefix(field, d.field) {
		return false
	}
	if d.toleration == nil {
		return true
	}
	if list, ok := value.([]any); ok {
		return slices.ContainsFunc(list, func(item any) bool { return same(item, d.toleration) })
	}
	return same(value, d.toleration)
}

// Derived says what the rule derives for an object in a cluster, and from what. It is for who
// wants to know it: what objects become, Modify says.
func (m *modifier) Derived(cluster string, tree map[string]any) []Derived {
	if m.problem != nil || m.rule.derive == nil {
		return nil
	}
	facts := m.fleet.clusters[cluster]
	if selected, known := m.rule.clusters.selects(cluster, facts); !selected || !known {
		return nil
	}
	var all []Derived
	_, _ = workload.Edit(tree, m.paths, func(spec map[string]any, at string) error {
		all = append(all, m.rule.derivedFor(spec, at, facts.Pools)...)
		return nil
	})
	return all
}

// derivedFor is what is derived for one pod template.
func (r *rule) derivedFor(spec map[string]any, field string, pools []clusterv1alpha1.Pool) []Derived {
	d := accelerator.Derive(requestedBy(spec), pools, r.derive.Approve)
	var all []Derived
	for _, toleration := range d.Tolerations {
		var from []string
		for i := range d.Open {
			if texts := tolerated(&d.Open[i], toleration); len(texts) > 0 {
				from = append(from, fmt.Sprintf("%s of %s (%s)", strings.Join(texts, " and "), nodes(d.Open[i].Nodes), poolName(&d.Open[i])))
			}
		}
		written, _ := untyped([]corev1.Toleration{toleration})[0].(map[string]any)
		all = append(all, Derived{Reason: "derived from " + strings.Join(from, ", "), field: field + ".tolerations", toleration: written})
	}
	if r.derive.RequireNodes && len(d.Open) > 0 {
		var products []string
		for i := range d.Open {
			if text := poolName(&d.Open[i]) + " (" + nodes(d.Open[i].Nodes) + ")"; !slices.Contains(products, text) {
				products = append(products, text)
			}
		}
		all = append(all, Derived{Reason: "derived from the pools that are open: " + strings.Join(products, ", "), field: field + ".affinity"})
	}
	return all
}

func nodes(n int32) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

// tolerated are the taints of a pool that a toleration is for.
func tolerated(pool *clusterv1alpha1.Pool, toleration corev1.Toleration) []string {
	var texts []string
	for _, taint := range pool.Taints {
		if taint.Meaning == clusterv1alpha1.TaintPreferred || taint.Key != toleration.Key || taint.Effect != toleration.Effect ||
			toleration.Operator == corev1.TolerationOpEqual && taint.Value != toleration.Value {
			continue
		}
		texts = append(texts, accelerator.TaintText(taint))
	}
	return texts
}
