package placement

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// selectorFilter lets those pass that the cluster selector selects.
type selectorFilter struct {
	field string
	// given is the selector as it is written; nil: there is none.
	given    *metav1.LabelSelector
	selector labels.Selector
}

// newSelectorFilter prepares the selector. As in KubeFed, one beside a list of clusters
// is not even read, so it cannot be in error.
func newSelectorFilter(in *Input) (filter, error) {
	if in.Placement.HasClusters {
		return nil, nil //nolint:nilnil // documented: it has nothing to say
	}
	f, err := selectorFilterOf(in.Placement, specField)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func selectorFilterOf(spec Spec, field string) (*selectorFilter, error) {
	f := &selectorFilter{field: field, given: spec.ClusterSelector}
	if f.given == nil {
		return f, nil
	}
	var err error
	if f.selector, err = metav1.LabelSelectorAsSelector(f.given); err != nil {
		return nil, fmt.Errorf("%s.clusterSelector: %w", field, err)
	}
	return f, nil
}

func (f *selectorFilter) filterName() string { return "ClusterSelector" }

func (f *selectorFilter) judge(c *Cluster) (passes bool, reason Reason) {
	switch {
	case f.given == nil:
		return false, ReasonNoPlacement
	case f.selector.Matches(labels.Set(c.Labels)):
		return true, ReasonSelectorMatches
	}
	return false, ReasonSelectorDoesNotMatch
}

func (f *selectorFilter) explain(c *Cluster, reason Reason) string {
	switch {
	case reason == ReasonNoPlacement:
		return f.field + " has neither clusters nor clusterSelector, which selects no cluster"
	case f.selector.Empty():
		return f.field + ".clusterSelector is empty, which selects every cluster"
	case reason == ReasonSelectorMatches:
		return f.field + ".clusterSelector " + metav1.FormatLabelSelector(f.given) + " matches"
	}
	return f.mismatch(c)
}

// mismatch names the first requirement that the cluster's labels do not meet and
// the label that it has instead.
func (f *selectorFilter) mismatch(c *Cluster) string {
	requirements, _ := f.selector.Requirements()
	for i := range requirements {
		if requirements[i].Matches(labels.Set(c.Labels)) {
			continue
		}
		have := "no label " + requirements[i].Key()
		if value, ok := c.Labels[requirements[i].Key()]; ok {
			have = "the label " + requirements[i].Key() + "=" + value
		}
		return f.field + ".clusterSelector asks for " + requirements[i].String() + " and the cluster has " + have
	}
	return f.field + ".clusterSelector " + metav1.FormatLabelSelector(f.given) + " does not match the cluster's labels"
}
