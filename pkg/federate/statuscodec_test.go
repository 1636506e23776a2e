package federate

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fedctl/fedctl/pkg/workload"
)

func TestStatusRoundTrip(t *testing.T) {
	for name, status := range map[string]Status{
		"empty": {},
		"full": {
			ObservedGeneration: 3,
			Conditions: []Condition{
				{Type: "Propagation", Status: "False", Reason: "CheckClusters", Message: "m", LastUpdateTime: "t1", LastTransitionTime: "t2"},
				{Type: "Other", Status: "True"},
			},
			Clusters: []ClusterStatus{
				{Name: "a"},
				{Name: "b", Status: UpdateFailed, Message: "denied", Version: "gen:4", RemoteStatus: map[string]any{"replicas": int64(3)},
					Health: &Health{Health: workload.Health{Status: workload.Progressing, Message: "Ready: 1/3"}, LastUpdateTime: "t3", Unsteady: &Unsteady{Since: "t2", Generation: 4}}},
			},
			Rollup: map[string]any{"oldest": "t1", "unknown": []any{"b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(status, ParseStatus(status.ToUnstructured())); diff != "" {
				t.Errorf("in memory (-want +got):\n%s", diff)
			}
			data, err := json.Marshal(status.ToUnstructured())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(status, ParseStatus(tree(t, data))); diff != "" {
				t.Errorf("through JSON (-want +got):\n%s", diff)
			}
		})
	}
}

// The summary is ours; KubeFed's clients do not see it.
func TestStatusAsKubeFedWritesIt(t *testing.T) {
	data, err := json.Marshal(Status{
		ObservedGeneration: 2,
		Conditions:         []Condition{{Type: "Propagation", Status: "True", LastUpdateTime: "2030-01-02T03:04:05Z", LastTransitionTime: "2030-01-02T03:04:05Z"}},
		Clusters:           []ClusterStatus{{Name: "a"}, {Name: "b", Status: ClusterNotReady}},
	}.ToUnstructured())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"clusters":[{"name":"a"},{"name":"b","status":"ClusterNotReady"}],` +
		`"conditions":[{"lastTransitionTime":"2030-01-02T03:04:05Z","lastUpdateTime":"2030-01-02T03:04:05Z","status":"True","type":"Propagation"}],"observedGeneration":2,"summary":"1/2"}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseStatusIsLenient(t *testing.T) {
	for _, raw := range []any{nil, 3, "x", []any{}, map[string]any{}, map[string]any{"conditions": 1, "clusters": "x", "observedGeneration": "y", "rollup": "z"},
		map[string]any{"conditions": []any{1, nil}, "clusters": []any{"a"}}} {
		if diff := cmp.Diff(Status{}, ParseStatus(raw)); diff != "" {
			t.Errorf("%v:\n%s", raw, diff)
		}
	}
	got := ParseStatus(map[string]any{"clusters": []any{map[string]any{"name": 1, "status": "X", "remoteStatus": "odd"}}})
	if diff := cmp.Diff(Status{Clusters: []ClusterStatus{{Status: "X", RemoteStatus: "odd"}}}, got); diff != "" {
		t.Errorf("%s", diff)
	}
}

func TestStatusLookup(t *testing.T) {
	s := Status{Conditions: []Condition{{Type: "Propagation", Status: "True"}}, Clusters: []ClusterStatus{{Name: "a"}, {Name: "b"}}}
	if s.Condition("Propagation") != &s.Conditions[0] || s.Condition("Accepted") != nil || s.Cluster("b") != &s.Clusters[1] || s.Cluster("c") != nil {
		t.Error("lookup by name")
	}
}
