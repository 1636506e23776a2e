package federate

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// exclusive are fields that API servers refuse beside a certain value of another. Where
// they had a default, nobody's apply takes them away, not even one that says null.
//
// Source: ValidateDeploymentStrategy and ValidateStatefulSetSpec in
// k8s.io/kubernetes/pkg/apis/apps/validation.
var exclusive = []struct {
	kind            schema.GroupKind
	in              []string
	field           string
	value, excludes string
}{
	{schema.GroupKind{Group: "apps", Kind: "Deployment"}, []string{"spec", "strategy"}, "type", "Recreate", "rollingUpdate"},
	{schema.GroupKind{Group: "apps", Kind: "StatefulSet"}, []string{"spec", "updateStrategy"}, "type", "OnDelete", "rollingUpdate"},
}

// Replacement returns live with everything that desired says: objects are merged field by
// field, lists and single values are desired's but for what is kept, and without what live
// has and cannot be beside it. Neither is modified; the result shares their content.
//
// It is what an update writes where an apply cannot be used. Server-side apply merges lists by
// their items' keys as well, for which the type's schema is needed.
func Replacement(gk schema.GroupKind, live, desired map[string]any, kept Keeping) map[string]any {
	out := kept.overlay(live, desired, kept.Others, "")
	for _, rule := range exclusive {
		path := slices.Concat(rule.in, []string{rule.excludes})
		if rule.kind != gk || present(desired, path) || !present(out, path) {
			continue
		}
		copyPath(out, path)
		node := out
		for _, field := range rule.in {
			node, _ = node[field].(map[string]any)
		}
		if node[rule.field] == rule.value {
			delete(node, rule.excludes)
		}
	}
	return out
}

// Holds says whether live has everything that desired says, so that writing it
// would change nothing. Lists have to be of the same length and order, and numbers of
// the same kind: where live says the same in another way, Holds says no.
func Holds(live, desired map[string]any) bool {
	for key, value := range desired {
		have, ok := live[key]
		if !ok || !holds(have, value) {
			return false
		}
	}
	return true
}

func holds(live, desired any) bool {
	switch want := desired.(type) {
	case map[string]any:
		have, ok := live.(map[string]any)
		return ok && Holds(have, want)
	case []any:
		have, ok := live.([]any)
		if !ok || len(have) != len(want) {
			return false
		}
		for i := range want {
			if !holds(have[i], want[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(live, desired)
}
