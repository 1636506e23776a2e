package membership

import (
	"reflect"
	"slices"
)

// Facts are what is known of a member beyond who it is and how it fares. They are held
// apart from Info, and have subscribers of their own: no placement by name or label
// depends on them, and what changes often is to queue only what does. Empty fields are
// unknown. Values handed out are shared: do not modify what they point to.
//
// A new fact is a field here, and a line where the member takes its inventory.
type Facts struct {
	// KubernetesVersion is that of the API server, such as v1.36.3.
	KubernetesVersion string
	// Nodes is nil while the nodes have not been listed.
	Nodes *Nodes
	// Scalable is what the KubeFedCluster's annotation says of how far the cluster can grow.
	Scalable string
}

// Nodes is what a member's nodes say of it.
type Nodes struct {
	Count  int
	Region string
	// Zones are sorted.
	Zones []string
	// Accelerators is the allocatable amount by extended resource, over all nodes.
	Accelerators map[string]int64
}

// Facts returns what is known of a member beyond its Info. It does no I/O. What a
// member that does not answer has told last is kept.
func (p *Provider) Facts(name string) (Facts, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if m := p.members[name]; m != nil {
		return m.facts, true
	}
	return Facts{}, false
}

// SubscribeFacts has fn called with a cluster's name when its Facts change. That it
// comes or goes is told by Subscribe alone; otherwise the two are alike.
func (p *Provider) SubscribeFacts(fn func(name string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.factSubscribers = append(p.factSubscribers, fn)
}

// learn changes a member's Facts and tells their subscribers if they differ.
func (p *Provider) learn(m *member, change func(*Facts)) {
	p.mu.Lock()
	before := m.facts
	change(&m.facts)
	changed := p.members[m.name] == m && !reflect.DeepEqual(before, m.facts)
	subscribers := slices.Clone(p.factSubscribers)
	p.mu.Unlock()
	if !changed {
		return
	}
	for _, fn := range subscribers {
		fn(m.name)
	}
}
