package replicas

import (
	"maps"
	"math"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/replicas/planner"
)

func TestPlanAroundAutoscalers(t *testing.T) {
	states := []clusterState{
		{Cluster: planner.Cluster{Name: "a", Current: 5}, left: true},
		{Cluster: planner.Cluster{Name: "b", Current: 4}},
		{Cluster: planner.Cluster{Name: "c"}},
	}
	weighed := func(weights map[string]planner.Preference) planner.Preferences {
		return planner.Preferences{Total: 9, Rebalance: true, Clusters: weights}
	}
	type numbers = map[string]int64
	for name, test := range map[string]struct {
		preferences     planner.Preferences
		scheduled, left numbers
	}{
		"the rest is shared out":       {weighed(nil), numbers{"b": 2, "c": 2}, numbers{"a": 5}},
		"by weight":                    {weighed(map[string]planner.Preference{"*": {Weight: 1}, "b": {Weight: 3}}), numbers{"b": 3, "c": 1}, numbers{"a": 5}},
		"more than there are to be":    {planner.Preferences{Total: 3, Rebalance: true}, numbers{}, numbers{"a": 5}},
		"a cluster that gets nothing":  {weighed(map[string]planner.Preference{"b": {Weight: 1}}), numbers{"b": 9}, numbers{}},
		"a cluster of weight 0":        {weighed(map[string]planner.Preference{"a": {}, "*": {Weight: 1}}), numbers{}, numbers{}},
		"a cluster that may have none": {weighed(map[string]planner.Preference{"a": {Weight: 1, Max: ptr.To(int64(0))}, "b": {Weight: 1}}), numbers{"b": 9}, numbers{}},
		"a cluster with a least":       {weighed(map[string]planner.Preference{"a": {Min: 1}, "b": {Weight: 1}}), numbers{"b": 4}, numbers{"a": 5}},
		"others with a least": {
			planner.Preferences{Total: 3, Rebalance: true, Clusters: map[string]planner.Preference{"a": {Weight: 2}, "b": {Weight: 1, Min: 1}, "c": {Weight: 1}}},
			numbers{"b": 1}, numbers{"a": 5},
		},
		"others with a least, of which some is left over": {
			planner.Preferences{Total: 6, Rebalance: true, Clusters: map[string]planner.Preference{"a": {Weight: 2}, "*": {Weight: 1, Min: 2}}},
			numbers{"b": 2, "c": 2}, numbers{"a": 5},
		},
		"all with a least, and more than there are to be": {
			planner.Preferences{Total: 4, Rebalance: true, Clusters: map[string]planner.Preference{"a": {Weight: 2, Min: 2}, "b": {Weight: 1, Min: 3}}},
			numbers{"b": 2}, numbers{"a": 5},
		},
		"others with a least beyond their most": {
			planner.Preferences{Total: 3, Rebalance: true, Clusters: map[string]planner.Preference{"*": {Weight: 1}, "b": {Weight: 1, Min: math.MaxInt64}, "c": {Min: math.MaxInt64}}},
			numbers{"b": 3}, numbers{"a": 5},
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan, left := planAround(test.preferences, states, "ns/web")
			scheduled := plan.Scheduled()
			maps.DeleteFunc(scheduled, func(_ string, n int64) bool { return n == 0 })
			if len(test.scheduled) == 0 && len(test.left) == 0 { // who gets the odd one follows from the name
				delete(scheduled, "b")
				delete(scheduled, "c")
			}
			if !maps.Equal(scheduled, test.scheduled) || !maps.Equal(left, test.left) {
				t.Errorf("scheduled %v, left %v", scheduled, left)
			}
		})
	}
}

// A cluster that decides itself stays, with the number that is there already.
func TestWrittenReplicas(t *testing.T) {
	fed := &federate.Object{Overrides: []federate.ClusterOverrides{{ClusterName: "a", Overrides: []federate.Override{{Path: replicasPath, Value: int64(2)}}}}}
	got := written(fed, map[string]int64{"b": 4}, map[string]int64{"a": 7, "c": 0}, map[string]int64{"d": 3})
	if !maps.Equal(got, map[string]int64{"a": 2, "b": 4, "c": 0, "d": 3}) {
		t.Errorf("got %v", got)
	}
}
