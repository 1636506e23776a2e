package federate

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// parsePlacement reads spec.placement. null is absent everywhere, as in KubeFed.
func (o *Object) parsePlacement(parent map[string]any) error {
	const field = "spec.placement"
	spec, ok := asMap(parent["placement"])
	if !ok {
		return placementError(field, "must be an object", parent["placement"])
	}
	clusters, ok := asList(spec["clusters"])
	if !ok {
		return placementError(field+".clusters", "must be a list", spec["clusters"])
	}
	if clusters != nil {
		names, err := parseClusterNames(clusters, field+".clusters")
		if err != nil {
			return err
		}
		o.Placement.HasClusters = true
		o.Placement.Clusters = names
	}
	selector, err := parseSelector(spec["clusterSelector"], field+".clusterSelector")
	if err != nil {
		return err
	}
	o.Placement.ClusterSelector = selector
	return nil
}

func parseClusterNames(items []any, field string) ([]string, error) {
	names := make([]string, len(items))
	for i, raw := range items {
		at := field + "[" + strconv.Itoa(i) + "]"
		item, ok := asMap(raw)
		if !ok {
			return nil, placementError(at, "must be an object with a name", raw)
		}
		if names[i], ok = asString(item["name"]); !ok {
			return nil, placementError(at+".name", "must be a string", item["name"])
		}
	}
	return names, nil
}

// parseSelector reads a label selector; nil stays nil, since an absent selector
// selects nothing and an empty one everything.
func parseSelector(raw any, field string) (*metav1.LabelSelector, error) {
	spec, ok := asMap(raw)
	if !ok {
		return nil, placementError(field, "must be an object", raw)
	}
	if spec == nil {
		return nil, nil //nolint:nilnil // no selector is not an error
	}
	selector := &metav1.LabelSelector{}
	matchLabels, ok := asMap(spec["matchLabels"])
	if !ok {
		return nil, placementError(field+".matchLabels", "must be an object", spec["matchLabels"])
	}
	for key, value := range matchLabels {
		text, ok := asString(value)
		if !ok {
			return nil, placementError(field+".matchLabels["+key+"]", "must be a string", value)
		}
		if selector.MatchLabels == nil {
			selector.MatchLabels = make(map[string]string, len(matchLabels))
		}
		selector.MatchLabels[key] = text
	}
	expressions, ok := asList(spec["matchExpressions"])
	if !ok {
		return nil, placementError(field+".matchExpressions", "must be a list", spec["matchExpressions"])
	}
	for i, raw := range expressions {
		requirement, err := parseRequirement(raw, field+".matchExpressions["+strconv.Itoa(i)+"]")
		if err != nil {
			return nil, err
		}
		selector.MatchExpressions = append(selector.MatchExpressions, requirement)
	}
	return selector, nil
}

func parseRequirement(raw any, field string) (requirement metav1.LabelSelectorRequirement, err error) {
	item, ok := asMap(raw)
	if !ok {
		return requirement, placementError(field, "must be an object", raw)
	}
	if requirement.Key, ok = asString(item["key"]); !ok {
		return requirement, placementError(field+".key", "must be a string", item["key"])
	}
	operator, ok := asString(item["operator"])
	if !ok {
		return requirement, placementError(field+".operator", "must be a string", item["operator"])
	}
	requirement.Operator = metav1.LabelSelectorOperator(operator)
	values, ok := asList(item["values"])
	if !ok {
		return requirement, placementError(field+".values", "must be a list", item["values"])
	}
	for i, raw := range values {
		value, ok := asString(raw)
		if !ok {
			return requirement, placementError(field+".values["+strconv.Itoa(i)+"]", "must be a string", raw)
		}
		requirement.Values = append(requirement.Values, value)
	}
	return requirement, nil
}
