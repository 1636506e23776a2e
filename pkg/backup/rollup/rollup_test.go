package rollup

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
)

// remote parses the status of a Backup.
func remote(t *testing.T, text string) any {
	t.Helper()
	var status map[string]any
	if err := yaml.Unmarshal([]byte(text), &status); err != nil {
		t.Fatal(err)
	}
	return status
}

// What the Backups of clusters say, by a word.
var statuses = map[string]string{
	"recent":      `{lastSuccess: {name: a, time: "2030-01-02T02:40:00Z"}, conditions: [{type: Ready, status: "True"}, {type: WithinObjective, status: "True"}]}`,
	"recent too":  `{lastSuccess: {name: a, time: "2030-01-02T01:40:00Z"}, conditions: [{type: Ready, status: "True"}, {type: WithinObjective, status: "True"}]}`,
	"old":         `{lastSuccess: {name: a, time: "2029-12-01T00:00:00Z"}, conditions: [{type: WithinObjective, status: "False", reason: TooOld}]}`,
	"never":       `{conditions: [{type: WithinObjective, status: "False", reason: NoRunYet}]}`,
	"new":         `{conditions: [{type: WithinObjective, status: Unknown, reason: NoRunYet}]}`,
	"odd":         `{lastSuccess: {name: a, time: "2030-01-02T00:00:00Z"}, conditions: [{type: WithinObjective, status: Perhaps}]}`,
	"unseen":      `{}`,
	"unreadable":  `{conditions: 3}`,
	"aimless":     `{lastSuccess: {name: a, time: "2030-01-01T00:00:00Z"}, conditions: [{type: Ready, status: "True"}]}`,
	"disk full":   `{lastSuccess: {name: a, time: "2030-01-02T02:40:00Z"}, conditions: [{type: Ready, status: "False", reason: DiskFull}, {type: WithinObjective, status: "True"}]}`,
	"damaged":     `{lastSuccess: {name: a, time: "2030-01-02T02:40:00Z"}, conditions: [{type: Verified, status: "False", reason: Corrupt}, {type: WithinObjective, status: "True"}]}`,
	"not checked": `{lastSuccess: {name: a, time: "2030-01-02T02:40:00Z"}, conditions: [{type: Verified, status: Unknown, reason: NotYetVerified}, {type: WithinObjective, status: "True"}]}`,
}

func TestOf(t *testing.T) {
	for _, test := range []struct {
		name string
		// clusters have a status of statuses, and after a slash the engine's word.
		clusters []string
		want     string
	}{
		{"no cluster", nil, `null`},
		{"all is well", []string{"recent", "recent too"},
			`{objective: 2/2, withinObjective: [a, b], oldestRecoveryPoint: "2030-01-02T01:40:00Z"}`},
		{"one within, one outside, one stopped", []string{"recent", "old", "recent too/ClusterNotReady"},
			`{objective: 1/3, withinObjective: [a], outsideObjective: [b], unknown: [c], oldestRecoveryPoint: "2029-12-01T00:00:00Z"}`},
		{"a stopped cluster's last word is no failure either", []string{"disk full/ClusterNotReady"},
			`{objective: 0/1, unknown: [a], oldestRecoveryPoint: "2030-01-02T02:40:00Z"}`},
		{"stopped, and nothing is remembered of it", []string{"recent", "/ClusterNotReady"},
			`{objective: 1/2, withinObjective: [a], unknown: [b], withoutRecoveryPoint: [b]}`},
		{"a policy that did not arrive", []string{"recent/UpdateFailed"},
			`{objective: 0/1, unknown: [a], oldestRecoveryPoint: "2030-01-02T02:40:00Z"}`},
		{"none was ever good", []string{"never", "recent"},
			`{objective: 1/2, withinObjective: [b], outsideObjective: [a], withoutRecoveryPoint: [a]}`},
		{"the first run is to come", []string{"new"}, `{objective: 0/1, unknown: [a], withoutRecoveryPoint: [a]}`},
		{"nobody executes", []string{"unseen", "unreadable", ""}, `{objective: 0/3, unknown: [a, b, c], withoutRecoveryPoint: [a, b, c]}`},
		{"a word that does not exist", []string{"odd"}, `{objective: 0/1, unknown: [a], oldestRecoveryPoint: "2030-01-02T00:00:00Z"}`},
		{"no objective", []string{"aimless"}, `{oldestRecoveryPoint: "2030-01-01T00:00:00Z"}`},
		{"an objective in some", []string{"aimless", "recent"}, `{objective: 1/1, withinObjective: [b], oldestRecoveryPoint: "2030-01-01T00:00:00Z"}`},
		{"failures", []string{"disk full", "damaged", "not checked"},
			`{objective: 3/3, withinObjective: [a, b, c], oldestRecoveryPoint: "2030-01-02T02:40:00Z",
			  failing: [{cluster: a, condition: Ready, reason: DiskFull}, {cluster: b, condition: Verified, reason: Corrupt}]}`},
		{"on its way out", []string{"old/WaitingForRemoval", "never/DeletionTimedOut", "recent"},
			`{objective: 1/1, withinObjective: [c], oldestRecoveryPoint: "2030-01-02T02:40:00Z"}`},
		{"all on their way out", []string{"recent/WaitingForRemoval"}, `null`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var clusters []federate.ClusterStatus
			for i, text := range test.clusters {
				word, problem, _ := strings.Cut(text, "/")
				c := federate.ClusterStatus{Name: string(rune('a' + i)), Status: federate.PropagationStatus(problem)}
				if word != "" {
					c.RemoteStatus = remote(t, statuses[word])
				}
				clusters = append(clusters, c)
			}
			var want map[string]any
			if err := yaml.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, Of(clusters)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The schema is written by hand; a field that it lacks would be dropped by the API server.
func TestSchemaHasTheFields(t *testing.T) {
	compare := func(what string, typ reflect.Type, schema apiextensionsv1.JSONSchemaProps) {
		have := sets.New[string]()
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			have.Insert(name)
		}
		if diff := cmp.Diff(sets.List(have), sets.List(sets.KeySet(schema.Properties))); diff != "" {
			t.Errorf("fields of %s and of its schema:\n%s", what, diff)
		}
	}
	schema := Schema()
	compare("BackupRollup", reflect.TypeFor[v1alpha1.BackupRollup](), schema)
	compare("BackupFailure", reflect.TypeFor[v1alpha1.BackupFailure](), *schema.Properties["failing"].Items.Schema)
}
