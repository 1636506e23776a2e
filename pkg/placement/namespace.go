package placement

// namespaceFilter lets those pass that the object's namespace is placed in.
type namespaceFilter struct {
	// bound is the placement of the FederatedNamespace; nil: there is none, and the
	// namespace is placed nowhere.
	bound filter
}

// namespaceField is where the placement of the FederatedNamespace is.
const namespaceField = "the FederatedNamespace's spec.placement"

// namespaceNotFederated says that there is no FederatedNamespace around the object,
// and that it takes one.
func (in *Input) namespaceNotFederated() bool {
	return in.Namespaced && in.Namespace == nil && !in.LimitedScope
}

func newNamespaceFilter(in *Input) (filter, error) {
	switch {
	case in.namespaceNotFederated():
		return &namespaceFilter{}, nil
	case !in.Namespaced || in.Namespace == nil:
		return nil, nil //nolint:nilnil // documented: it has nothing to say
	case in.Namespace.HasClusters:
		return &namespaceFilter{bound: nameFilterOf(*in.Namespace, namespaceField)}, nil
	}
	bound, err := selectorFilterOf(*in.Namespace, namespaceField)
	if err != nil {
		return nil, err
	}
	return &namespaceFilter{bound: bound}, nil
}

func (f *namespaceFilter) filterName() string { return "Namespace" }

func (f *namespaceFilter) judge(c *Cluster) (passes bool, reason Reason) {
	if f.bound == nil {
		return false, ReasonNamespaceNotFederated
	}
	if passes, _ := f.bound.judge(c); !passes {
		return false, ReasonNamespaceNotPlaced
	}
	return true, ""
}

func (f *namespaceFilter) explain(c *Cluster, reason Reason) string {
	if reason == ReasonNamespaceNotFederated {
		return "the object asks for the cluster, but its namespace is not federated: create a FederatedNamespace of the same name in it"
	}
	_, why := f.bound.judge(c)
	return "the object asks for the cluster, but its namespace is not placed there: " + f.bound.explain(c, why)
}
