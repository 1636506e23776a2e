package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fedctl/fedctl/pkg/accelerator"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

// Layers returns what the policies that select an object make of it, a layer for each rule,
// in the order in which they are carried out. template is the object's own, without any
// change. policies are sorted (Sort).
func Layers(policies []*Policy, object Object, template map[string]any, fleet *Fleet) []federate.Layer {
	var layers []federate.Layer
	var chosen []*Policy
	paths := object.Templates
	var asked requests
	certain := true // that pods ask for what the template says
	for _, p := range policies {
		if !p.Selects(object) {
			continue
		}
		chosen = append(chosen, p)
		if p.problem != nil {
			layers = append(layers, federate.Layer{Origin: p.Origin, Modifier: &modifier{problem: p.problem, revision: p.revision}})
			continue
		}
		for i := range p.rules {
			m := &modifier{rule: &p.rules[i], fleet: fleet, paths: paths, told: object.Look != "", secret: object.Target == secretKind}
			if m.rule.derive != nil && asked == nil && certain {
				asked = requestedAnywhere(template, paths)
			}
			m.sight = fleet.seenBy(m.rule, asked)
			if m.rule.mayAsk() {
				asked, certain = nil, false
			}
			m.revision = m.rule.revision + object.Look + m.sight.revision
			layers = append(layers, federate.Layer{Origin: p.Origin, Modifier: m})
		}
	}
	if contested(chosen) {
		layers = append(layers, federate.Layer{Modifier: &referee{layers: layers, template: template}})
	}
	return layers
}

// contested says whether some of the policies may disagree.
func contested(policies []*Policy) bool {
	for i := range policies {
		if slices.ContainsFunc(policies[:i], func(other *Policy) bool { return mayContest(policies[i], other) }) {
			return true
		}
	}
	return false
}

// modifier carries out one rule, or says why it cannot.
type modifier struct {
	problem  error
	rule     *rule
	fleet    *Fleet
	sight    *sight
	paths    []workload.Template
	told     bool // by a WorkloadKind, where the paths are
	secret   bool
	revision string
	// made is what the rule has made of containers; nil where it is not remembered.
	made *madeContainers
}

// Remembering implements federate.Rememberer.
func (m *modifier) Remembering() federate.Modifier {
	remembering := *m
	remembering.made = &madeContainers{of: map[uintptr]madeContainer{}}
	return &remembering
}

// Revision implements federate.Modifier.
func (m *modifier) Revision() string { return m.revision }

// Likeness implements federate.Modifier.
func (m *modifier) Likeness(cluster string) int {
	if m.problem != nil {
		return alone
	}
	return m.sight.likeness(cluster)
}

// Field is the path of the rule in its policy.
func (m *modifier) Field() string {
	if m.rule == nil {
		return "spec"
	}
	return m.rule.field
}

// Modify implements federate.Modifier.
func (m *modifier) Modify(cluster string, tree map[string]any) (changed map[string]any, notes []federate.Note, err error) {
	if m.problem != nil {
		return nil, nil, m.problem
	}
	facts := m.fleet.clusters[cluster]
	selected, known := m.rule.clusters.selects(cluster, facts)
	switch {
	case !known:
		return nil, nil, fault(m.rule.field+".clusters", m.rule.clusters.notKnown(cluster, facts))
	case !selected:
		return tree, nil, nil
	}
	w := work{rule: m.rule, cluster: cluster, facts: facts, sight: m.sight, paths: m.paths, told: m.told, secret: m.secret, made: m.made}
	changed, err = w.do(tree)
	return changed, w.notes, err
}

func notKnown(cluster string, c Cluster) string {
	if c.Known {
		return "the devices of cluster " + cluster + " have not been read yet; condition DevicesKnown of its ClusterCapacity says why"
	}
	return "the nodes of cluster " + cluster + " have not been read yet; see: fedctl get clusters " + cluster
}

// PoolsRevision stands for what rules may depend on of what a cluster's nodes offer; the
// same for two that make no difference to any rule. c may be nil.
func PoolsRevision(c *clusterv1alpha1.ClusterCapacity) string {
	var b strings.Builder
	if c != nil {
		b.WriteString(strconv.FormatBool(len(c.Status.Conditions) > 0))
		pools := accelerator.Accelerators(c.Status.Pools)
		for i := range pools {
			writePool(&b, &pools[i])
		}
		b.WriteString(strconv.FormatBool(devicesUnread(pools, c.Status.Conditions)))
	}
	return b.String()
}

// writePool writes what derivation depends on, which is not how many nodes there are.
func writePool(b *strings.Builder, p *clusterv1alpha1.Pool) {
	b.WriteString("," + p.Resource + "|" + p.ProductLabel + "|" + p.Product + "|" + p.LargestNode.String())
	for _, taint := range p.Taints {
		b.WriteString("|" + accelerator.TaintText(taint) + string(taint.Meaning))
	}
}
