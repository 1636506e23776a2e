package placement

// Verdict says whether one cluster is selected, and why.
type Verdict struct {
	Cluster  string
	Selected bool
	Reason   Reason

	by      explainer
	cluster *Cluster // nil: it is not joined
}

// Reason is why a cluster is selected, or not.
type Reason string

// Reasons of verdicts.
const (
	// ReasonNamed: selected, the list of clusters has its name.
	ReasonNamed Reason = "Named"
	// ReasonSelectorMatches: selected, the cluster selector matches its labels.
	ReasonSelectorMatches Reason = "SelectorMatches"
	// ReasonNotNamed: there is a list of clusters and its name is not in it.
	ReasonNotNamed Reason = "NotNamed"
	// ReasonSelectorDoesNotMatch: the cluster selector does not match its labels.
	ReasonSelectorDoesNotMatch Reason = "SelectorDoesNotMatch"
	// ReasonNoPlacement: the object has neither a list of clusters nor a selector.
	ReasonNoPlacement Reason = "NoPlacement"
	// ReasonNotJoined: the name is in the list, but no such cluster is joined.
	ReasonNotJoined Reason = "NotJoined"
	// ReasonNamespaceNotFederated: the object asks for it, but its namespace is not federated.
	ReasonNamespaceNotFederated Reason = "NamespaceNotFederated"
	// ReasonNamespaceNotPlaced: the object asks for it, but its FederatedNamespace does not.
	ReasonNamespaceNotPlaced Reason = "NamespaceNotPlaced"
)

// Filter returns the name of the filter that has come to the verdict.
func (v Verdict) Filter() string { return v.by.filterName() }

// Message says the same in a sentence for people, which names the field that decided.
func (v Verdict) Message() string {
	message := v.by.explain(v.cluster, v.Reason)
	if v.Selected && !v.cluster.Ready {
		message += "; the cluster is not ready, so changes wait until it is"
	}
	return message
}

// filterName is that of the filter that the name was given to.
func (u UnknownCluster) filterName() string { return (&nameFilter{}).filterName() }

func (u UnknownCluster) explain(*Cluster, Reason) string {
	return u.Field + " names a cluster that is not joined: join it or remove the name"
}
