package membership

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

// Which cluster a KubeFedCluster leads to, and whether it may be used. Two that lead to
// one cluster would undo each other's work there for ever, and one that leads to another
// cluster than the one that joined would do that one's work where nobody asked for it.
// The commands refuse to join such clusters; a KubeFedCluster may be written by anybody.

// The verdicts that no answer of the member changes: such a member is engaged in nothing.
const (
	duplicate     reach.Verdict = reach.ReasonDuplicate
	stranger      reach.Verdict = reach.ReasonStranger
	foreignSecret reach.Verdict = reach.ReasonForeignSecret
	// undecided is no verdict: whether the member may be used is known soon.
	undecided reach.Verdict = ""
)

func barred(v reach.Verdict) bool { return v == duplicate || v == stranger || v == foreignSecret }

// identity is the cluster that a KubeFedCluster leads to, or is meant to.
type identity struct {
	known    bool
	uid      string // empty if the member does not let it be read
	endpoint string
}

// same compares UIDs where both are known, and addresses otherwise.
func (i identity) same(other identity) bool {
	switch {
	case !i.known || !other.known:
		return false
	case i.uid != "" && other.uid != "":
		return i.uid == other.uid
	default:
		return reach.SameEndpoint(i.endpoint, other.endpoint)
	}
}

// claim is the cluster that a member stands for: the one that was noted, and failing
// that the one that was found. The caller holds the provider's lock.
func (m *member) claim() identity {
	if noted := reach.NotedUID(m.object); noted != "" {
		return identity{known: true, uid: noted, endpoint: m.object.Spec.APIEndpoint}
	}
	return m.found
}

// examine makes sure that the member may be used over a connection that was found well.
func (m *member) examine(c *connection, object *fedcorev1beta1.KubeFedCluster, o reach.Observation) reach.Observation {
	if o.Verdict != reach.Ready {
		return o
	}
	if why := reach.Stranger(object, c.uid); why != "" {
		return reach.Observation{Verdict: stranger, Detail: why}
	}
	first, wait := m.p.settle(m, identity{known: true, uid: c.uid, endpoint: object.Spec.APIEndpoint})
	switch {
	case first != "":
		return m.duplicateOf(first)
	case wait && m.current == nil:
		return reach.Observation{Verdict: undecided}
	default:
		return o
	}
}

func (m *member) duplicateOf(first string) reach.Observation {
	return reach.Observation{Verdict: duplicate, Detail: fmt.Sprintf(
		"it is the same cluster as %s, which joined earlier; nothing is done here: remove one of the two KubeFedClusters", first)}
}

// settle notes what a member was found to be and says which member that is the same
// cluster joined first, if any did before m. With wait it is too early to engage m: one
// that joined earlier has not been asked yet who it is, or one that joined later has
// still to let go.
func (p *Provider) settle(m *member, found identity) (first string, wait bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.found = found
	mine := m.claim()
	var earliest *member
	for _, other := range p.members {
		if other == m {
			continue
		}
		earlier, theirs := reach.JoinedBefore(other.object, m.object), other.claim()
		switch {
		case earlier && !theirs.known && !other.info.Probed:
			wait = true
		case !mine.same(theirs):
		case !earlier && other.holds:
			wait = true
			other.wake()
		case earlier && (earliest == nil || reach.JoinedBefore(other.object, earliest.object)):
			earliest = other
		}
	}
	m.holds = m.cluster != nil || (earliest == nil && !wait)
	if earliest != nil {
		return earliest.name, false
	}
	return "", wait
}

// checkSecret makes sure that a Secret is the member's own: it is nobody else's by its
// label, or without one no KubeFedCluster that joined earlier names it. Nothing of a
// Secret of another's is ever sent to this one's address. secret is nil when there is none.
func (m *member) checkSecret(object *fedcorev1beta1.KubeFedCluster, secret *corev1.Secret) (reach.Observation, bool) {
	if secret == nil || secret.Labels[reach.ClusterLabel] == m.name {
		return reach.Observation{}, true
	}
	label := secret.Labels[reach.ClusterLabel]
	owner := m.p.secretOwner(m, object, label)
	why := "which joined earlier and names it as well"
	if label != "" {
		why = "by its label " + reach.ClusterLabel
	}
	switch {
	case owner == nil && label == "":
		return reach.Observation{}, true
	case owner != nil && sameMember(object, owner):
		return m.duplicateOf(owner.Name), false
	}
	name := label
	if owner != nil {
		name = cmp.Or(label, owner.Name)
	}
	return reach.Observation{Verdict: foreignSecret, Detail: fmt.Sprintf(
		"Secret %s/%s belongs to cluster %s, %s; it is not sent to %s: give this cluster a Secret of its own",
		object.Namespace, object.Spec.SecretRef.Name, name, why, object.Spec.APIEndpoint)}, false
}

// secretOwner returns the other KubeFedCluster that a Secret belongs to, if there is one.
func (p *Provider) secretOwner(m *member, object *fedcorev1beta1.KubeFedCluster, label string) *fedcorev1beta1.KubeFedCluster {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if label != "" {
		if other := p.members[label]; other != nil {
			return other.object
		}
		return nil
	}
	owner := object
	for _, other := range p.members {
		if other != m && other.object.Spec.SecretRef.Name == object.Spec.SecretRef.Name && reach.JoinedBefore(other.object, owner) {
			owner = other.object
		}
	}
	if owner == object {
		return nil
	}
	return owner
}

// sameMember tells whether a KubeFedCluster is a copy of another, without asking anybody.
func sameMember(a, b *fedcorev1beta1.KubeFedCluster) bool {
	if noted := reach.NotedUID(a); noted != "" && noted == reach.NotedUID(b) {
		return true
	}
	return reach.SameEndpoint(a.Spec.APIEndpoint, b.Spec.APIEndpoint)
}

// disengage ends what runs over the member's connection.
func (m *member) disengage() {
	if m.current == nil {
		return
	}
	m.p.setCluster(m, nil)
	m.current.close()
	m.current = nil
	m.log.Info("Member is no longer used", "reason", string(m.health.Why.Verdict))
}

// wakeBarred has the members looked at again that may not be used, because what that
// depends on has changed. The caller holds the lock.
func (p *Provider) wakeBarred() {
	for _, m := range p.members {
		if barred(reach.Verdict(m.info.Reason)) {
			m.wake()
		}
	}
}
