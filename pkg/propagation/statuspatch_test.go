package propagation

import (
	"encoding/json"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"github.com/fedctl/fedctl/pkg/federate"
)

// A merge patch keeps what it does not mention, so it has to mention what goes.
func TestStatusPatch(t *testing.T) {
	full := federate.Status{
		ObservedGeneration: 1,
		Conditions:         []federate.Condition{{Type: "Propagation", Status: "True"}},
		Clusters:           []federate.ClusterStatus{{Name: "a"}},
		Rollup:             map[string]any{"unknown": []any{"a"}, "objective": "0/1"},
	}
	other := full
	other.Rollup = map[string]any{"withinObjective": []any{"a"}, "objective": "1/1"}
	bare := full
	bare.Rollup = nil
	for name, test := range map[string]struct{ from, to federate.Status }{
		"first":                {federate.Status{}, full},
		"the same":             {full, full},
		"another rollup":       {full, other},
		"no rollup any more":   {full, bare},
		"a rollup from now on": {bare, full},
		"nothing left":         {full, federate.Status{ObservedGeneration: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			document := encode(t, test.from.ToUnstructured())
			got, err := jsonpatch.MergePatch(document, encode(t, statusPatch(test.from, test.to)))
			if err != nil {
				t.Fatal(err)
			}
			if want := encode(t, test.to.ToUnstructured()); !jsonpatch.Equal(want, got) {
				t.Errorf("want %s, got %s", want, got)
			}
		})
	}
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A definition that does not know a field drops it: what is then read is no change.
func TestShows(t *testing.T) {
	written := federate.Status{
		ObservedGeneration: 1,
		Conditions:         []federate.Condition{{Type: "Propagation", Status: "False", Message: "m"}},
		Clusters:           []federate.ClusterStatus{{Name: "a", Status: federate.ClusterNotReady, Message: "m", Version: "v"}},
		Rollup:             map[string]any{"objective": "0/1"},
	}
	before := written
	before.Rollup = nil
	elsewhere := written
	elsewhere.Rollup = map[string]any{"objective": "1/1"}
	for name, test := range map[string]struct {
		status federate.Status
		want   bool
	}{
		"as written":             {written, true},
		"KubeFed's definition":   {kubeFedPart(written), true},
		"ours without a rollup":  {before, true},
		"written by another":     {elsewhere, false},
		"of another generation":  {federate.Status{ObservedGeneration: 2}, false},
		"nothing has been saved": {federate.Status{}, false},
	} {
		if got := shows(test.status, written); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
