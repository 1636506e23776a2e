package backup

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

func TestStatus(t *testing.T) {
	const text = `
metadata: {namespace: shop, name: nightly}
status:
  clusters:
  - name: fresh
    remoteStatus: {lastSuccess: {name: a, time: "2030-01-01T11:00:00Z"}, nextRun: "2030-01-02T02:00:00Z", conditions: [{type: WithinObjective, status: "True"}, {type: Verified, status: "True"}]}
  - name: old
    remoteStatus: {lastSuccess: {name: a, time: "2029-12-30T12:00:00Z"}, conditions: [{type: WithinObjective, status: "False"}]}
  - name: gone
    remoteStatus: {lastSuccess: {name: a, time: "2030-01-01T10:00:00Z"}, conditions: [{type: WithinObjective, status: "True"}]}
  - name: silent
  - name: never
    remoteStatus: {conditions: [{type: Ready, status: "True"}]}
  - name: unseen
    remoteStatus: {conditions: []}
`
	var object unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	rows := rowsOf([]unstructured.Unstructured{object}, map[string]bool{"fresh": true, "old": true, "silent": true, "never": true, "unseen": true})
	var out bytes.Buffer
	printRows(cmdutil.NewFactory(genericiooptions.IOStreams{Out: &out, ErrOut: &out}), rows, time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC))
	want := `CLUSTER   BACKUP         LAST GOOD   OBJECTIVE   VERIFIED   NEXT RUN
never     shop/nightly   never       -           -          -
silent    shop/nightly   Unknown     Unknown     Unknown    -
unseen    shop/nightly   Unknown     Unknown     Unknown    -
old       shop/nightly   2d ago      Exceeded    -          -
gone      shop/nightly   120m ago    Unknown     Unknown    -
fresh     shop/nightly   60m ago     OK          True       2030-01-02T02:00:00Z
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestRestoreObject(t *testing.T) {
	for name, test := range map[string]struct {
		options restoreOptions
		problem string
	}{
		"both":       {restoreOptions{Run: "a", Time: "2030-01-31T20:00:00Z"}, "exclude each other"},
		"a bad time": {restoreOptions{Time: "yesterday"}, "is not a time"},
		"a time":     {restoreOptions{Time: "2030-01-31T20:00:00Z"}, ""},
		"a run":      {restoreOptions{Run: "a"}, ""},
		"the newest": {restoreOptions{}, ""},
	} {
		object, err := test.options.object("nightly")
		if test.problem != "" {
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		from := object.Spec.From
		if err != nil || from.Latest != (name == "the newest") || (from.Time != nil) != (name == "a time") || (from.Run != "") != (name == "a run") {
			t.Errorf("%s: %+v, %v", name, from, err)
		}
	}
}
