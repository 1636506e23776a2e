package placement

import (
	"k8s.io/apimachinery/pkg/labels"
)

// Verdict says whether one cluster is selected, and why.
type Verdict struct {
	Cluster  string
	Selected bool
	// Reason is one of the Reason constants.
	Reason string
	// Message is for people: it names the field that decided.
	Message string
}

// Reasons of verdicts.
const (
	// ReasonNamed: selected, the list of clusters has its name.
	ReasonNamed = "Named"
	// ReasonSelectorMatches: selected, the cluster selector matches its labels.
	ReasonSelectorMatches = "SelectorMatches"
	// ReasonNotNamed: there is a list of clusters and its name is not in it.
	ReasonNotNamed = "NotNamed"
	// ReasonSelectorDoesNotMatch: the cluster selector does not match its labels.
	ReasonSelectorDoesNotMatch = "SelectorDoesNotMatch"
	// ReasonNoPlacement: the object has neither a list of clusters nor a selector.
	ReasonNoPlacement = "NoPlacement"
	// ReasonNotJoined: the name is in the list, but no such cluster is joined.
	ReasonNotJoined = "NotJoined"
	// ReasonNamespaceNotFederated: the object asks for it, but its namespace is not federated.
	ReasonNamespaceNotFederated = "NamespaceNotFederated"
	// ReasonNamespaceNotPlaced: the object asks for it, but its FederatedNamespace does not.
	ReasonNamespaceNotPlaced = "NamespaceNotPlaced"
)

// judge says whether the matcher selects the cluster.
func (m *matcher) judge(c *Cluster) Verdict {
	switch {
	case m.hasNames && m.named[c.Name]:
		return Verdict{Cluster: c.Name, Selected: true, Reason: ReasonNamed, Message: "named in " + m.field + ".clusters"}
	case m.hasNames && len(m.named) == 0:
		return Verdict{Cluster: c.Name, Reason: ReasonNotNamed, Message: m.field + ".clusters is empty, which selects no cluster"}
	case m.hasNames:
		return Verdict{Cluster: c.Name, Reason: ReasonNotNamed, Message: "not named in " + m.field + ".clusters"}
	case m.selector == nil:
		return Verdict{Cluster: c.Name, Reason: ReasonNoPlacement, Message: m.field + " has neither clusters nor clusterSelector, which selects no cluster"}
	case m.selector.Empty():
		return Verdict{Cluster: c.Name, Selected: true, Reason: ReasonSelectorMatches, Message: m.field + ".clusterSelector is empty, which selects every cluster"}
	case m.selector.Matches(labels.Set(c.Labels)):
		return Verdict{Cluster: c.Name, Selected: true, Reason: ReasonSelectorMatches, Message: m.field + ".clusterSelector " + m.text + " matches"}
	}
	return Verdict{Cluster: c.Name, Reason: ReasonSelectorDoesNotMatch, Message: m.mismatch(c)}
}

// mismatch names the first requirement that the cluster's labels do not meet and
// the label that it has instead.
func (m *matcher) mismatch(c *Cluster) string {
	requirements, _ := m.selector.Requirements()
	for i := range requirements {
		if requirements[i].Matches(labels.Set(c.Labels)) {
			continue
		}
		have := "no label " + requirements[i].Key()
		if value, ok := c.Labels[requirements[i].Key()]; ok {
			have = "the label " + requirements[i].Key() + "=" + value
		}
		return m.field + ".clusterSelector asks for " + requirements[i].String() + " and the cluster has " + have
	}
	return m.field + ".clusterSelector " + m.text + " does not match the cluster's labels"
}

// limit intersects a positive verdict on the object with the verdict of m on
// its FederatedNamespace.
func (m *matcher) limit(own Verdict, c *Cluster) Verdict {
	bound := m.judge(c)
	if bound.Selected {
		return own
	}
	return Verdict{
		Cluster: c.Name,
		Reason:  ReasonNamespaceNotPlaced,
		Message: "the object asks for the cluster, but its namespace is not placed there: " + bound.Message,
	}
}

func namespaceNotFederated(own Verdict) Verdict {
	return Verdict{
		Cluster: own.Cluster,
		Reason:  ReasonNamespaceNotFederated,
		Message: "the object asks for the cluster, but its namespace is not federated: create a FederatedNamespace of the same name in it",
	}
}

func notJoined(unknown UnknownCluster) Verdict {
	return Verdict{
		Cluster: unknown.Name,
		Reason:  ReasonNotJoined,
		Message: unknown.Field + " names a cluster that is not joined: join it or remove the name",
	}
}
