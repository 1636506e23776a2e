package placement

// A filter says of each cluster whether it may be selected. It is made for one input,
// and asked of all clusters, so what it is asked with must not allocate.
type filter interface {
	explainer
	// judge says whether the cluster may be selected. Why not is one of the Reason
	// constants; so is why it may, if that is for the filter to say.
	judge(c *Cluster) (passes bool, reason Reason)
}

// explainer is what has come to a verdict.
type explainer interface {
	// filterName is in verdicts.
	filterName() string
	// explain says in a sentence, of the field that decided, what judge has said.
	explain(c *Cluster, reason Reason) string
}

// filters are all there are, in the order in which they are asked. Each returns nil
// for an input that it has nothing to say of.
var filters = []func(in *Input) (filter, error){
	newNameFilter,
	newSelectorFilter,
	newNamespaceFilter,
}

// filters returns those that have a say.
func (in *Input) filters() ([]filter, error) {
	list := make([]filter, 0, len(filters))
	for _, newFilter := range filters {
		f, err := newFilter(in)
		if err != nil {
			return nil, err
		}
		if f != nil {
			list = append(list, f)
		}
	}
	return list, nil
}

// judge asks each filter in turn: the first that does not let the cluster pass decides,
// and otherwise the first that says why it does.
func judge(passing []filter, c *Cluster) Verdict {
	verdict := Verdict{Cluster: c.Name, Selected: true, cluster: c}
	for _, f := range passing {
		passes, reason := f.judge(c)
		if !passes {
			return Verdict{Cluster: c.Name, Reason: reason, by: f, cluster: c}
		}
		if verdict.by == nil && reason != "" {
			verdict.Reason, verdict.by = reason, f
		}
	}
	return verdict
}
