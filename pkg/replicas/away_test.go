package replicas

import (
	"maps"
	"testing"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/replicas/planner"
)

// What is placed in a cluster that is away stays, with the number that it has.
func TestKeptAway(t *testing.T) {
	fed := &federate.Object{
		Template:  map[string]any{"spec": map[string]any{"replicas": int64(5)}},
		Placement: placement.Spec{HasClusters: true, Clusters: []string{"a", "b", "c", "none"}},
		Overrides: []federate.ClusterOverrides{
			{ClusterName: "a", Overrides: []federate.Override{{Path: replicasPath, Value: int64(2)}}},
			{ClusterName: "elsewhere", Overrides: []federate.Override{{Path: replicasPath, Value: int64(2)}}},
		},
	}
	p := planner.Preferences{Clusters: map[string]planner.Preference{"*": {Weight: 1}, "none": {}}}
	got := keptAway(fed, p, []string{"a", "c", "elsewhere", "none"})
	if want := map[string]int64{"a": 2, "c": 5, "none": 0}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	fed.Template = nil
	if got := keptAway(fed, p, []string{"c"}); got["c"] != 1 {
		t.Errorf("got %v", got)
	}
}
