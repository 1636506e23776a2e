package replicas

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fedctl/fedctl/pkg/federate"
)

// replicasPath is the path of the overrides that the package writes.
const replicasPath = "/spec/replicas"

// edit returns what changes in the spec of a federated object, as a merge patch
// of the spec, so that it is placed in exactly the scheduled clusters and each of
// them gets its replicas; nil if it says so already. u is not modified, and
// everything else in it is left as it is: other overrides, their order, the
// cluster selector. The error names a field that cannot be read.
func edit(u *unstructured.Unstructured, scheduled map[string]int64) (map[string]any, error) {
	fed, err := federate.Parse(u)
	if err != nil {
		return nil, err
	}
	changes := map[string]any{}
	names := slices.Sorted(maps.Keys(scheduled))
	present := slices.Clone(fed.Placement.Clusters)
	slices.Sort(present)
	if !fed.Placement.HasClusters || !slices.Equal(slices.Compact(present), names) {
		clusters := make([]any, 0, len(names))
		for _, name := range names {
			clusters = append(clusters, map[string]any{"name": name})
		}
		changes["placement"] = map[string]any{"clusters": clusters}
	}
	overrides, changed, err := editOverrides(u, scheduled)
	if err != nil {
		return nil, err
	}
	if changed {
		changes["overrides"] = overrides
	}
	if len(changes) == 0 {
		return nil, nil //nolint:nilnil // documented: there is nothing to do
	}
	return changes, nil
}

// editOverrides returns spec.overrides with the scheduled replicas.
func editOverrides(u *unstructured.Unstructured, scheduled map[string]int64) (edited []any, changed bool, err error) {
	raw, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "overrides")
	items, _ := runtime.DeepCopyJSONValue(raw).([]any) // a list or null: it has been parsed
	missing := maps.Clone(scheduled)
	for i, item := range items {
		entry, ok := item.(map[string]any)
		if !ok {
			return nil, false, fmt.Errorf("spec.overrides[%d] must be an object", i)
		}
		name, _ := entry["clusterName"].(string)
		replicas, wanted := missing[name] // a second entry for a cluster gets none
		list, _ := entry["clusterOverrides"].([]any)
		kept, differs := editCluster(list, replicas, wanted)
		delete(missing, name)
		changed = changed || differs
		if differs && len(kept) == 0 {
			continue // it was ours alone
		}
		if differs {
			entry["clusterOverrides"] = kept
		}
		edited = append(edited, entry)
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		changed = true
		edited = append(edited, map[string]any{"clusterName": name, "clusterOverrides": []any{replicasOverride(missing[name])}})
	}
	if edited == nil {
		edited = []any{}
	}
	return edited, changed, nil
}

// editCluster returns one cluster's overrides with the replicas, or without any if
// they are not wanted. Of several overrides of the replicas one is left.
func editCluster(list []any, replicas int64, wanted bool) (edited []any, changed bool) {
	done := !wanted
	for _, item := range list {
		override, _ := item.(map[string]any)
		switch {
		case override["path"] != replicasPath:
			edited = append(edited, item)
		case done:
			changed = true // not wanted, or not twice
		case isReplicas(override, replicas):
			done = true
			edited = append(edited, item)
		default:
			done, changed = true, true
			edited = append(edited, replicasOverride(replicas))
		}
	}
	if !done {
		changed = true
		edited = append(edited, replicasOverride(replicas))
	}
	return edited, changed
}

func replicasOverride(replicas int64) map[string]any {
	return map[string]any{"path": replicasPath, "value": replicas}
}

// isReplicas says whether an override sets the replicas to this number.
func isReplicas(override map[string]any, replicas int64) bool {
	if op, _ := override["op"].(string); op != "" && op != "replace" && op != "add" {
		return false
	}
	value, ok := number(override["value"])
	return ok && value == replicas
}

// number reads a whole number as the API's JSON has it.
func number(value any) (int64, bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case float64:
		return int64(v), float64(int64(v)) == v
	}
	return 0, false
}

// present returns the replicas that the overrides of a federated object give to a
// cluster; 0 if they say nothing, or nothing that can be read.
func present(fed *federate.Object, cluster string) int64 {
	replicas, _ := overridden(fed, cluster)
	return replicas
}

// overridden is present, and whether the overrides say anything.
func overridden(fed *federate.Object, cluster string) (replicas int64, named bool) {
	for _, entry := range fed.Overrides {
		if entry.ClusterName != cluster {
			continue
		}
		for _, override := range entry.Overrides {
			if replicas, ok := number(override.Value); ok && override.Path == replicasPath {
				return max(0, replicas), true
			}
		}
	}
	return 0, false
}
