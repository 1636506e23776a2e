package placement

// nameFilter lets those pass that the list of clusters names.
type nameFilter struct {
	field string
	names map[string]bool
}

func newNameFilter(in *Input) (filter, error) {
	if !in.Placement.HasClusters {
		return nil, nil //nolint:nilnil // documented: it has nothing to say
	}
	return nameFilterOf(in.Placement, specField), nil
}

// specField is where the placement of the object itself is.
const specField = "spec.placement"

func nameFilterOf(spec Spec, field string) *nameFilter {
	f := &nameFilter{field: field, names: make(map[string]bool, len(spec.Clusters))}
	for _, name := range spec.Clusters {
		f.names[name] = true
	}
	return f
}

func (f *nameFilter) filterName() string { return "Names" }

func (f *nameFilter) judge(c *Cluster) (passes bool, reason Reason) {
	if f.names[c.Name] {
		return true, ReasonNamed
	}
	return false, ReasonNotNamed
}

func (f *nameFilter) explain(_ *Cluster, reason Reason) string {
	switch {
	case reason == ReasonNamed:
		return "named in " + f.field + ".clusters"
	case len(f.names) == 0:
		return f.field + ".clusters is empty, which selects no cluster"
	}
	return "not named in " + f.field + ".clusters"
}
