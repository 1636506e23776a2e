package backup

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"

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
  - name: hangs
    remoteStatus: {lastSuccess: {name: a, time: "2030-01-01T10:30:00Z"}, conditions: [{type: WithinObjective, status: "True"}, {type: Verified, status: "True"}]}
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
	ready := map[string]bool{"fresh": true, "old": true, "silent": true, "never": true, "unseen": true, "own": true, "mute": true, "hangs": true}
	at := func(text string) *metav1.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return &metav1.Time{Time: parsed}
	}
	own := backupv1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: "db", Name: "hourly"}}
	own.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: "WrongPassword", Message: "no"}}
	own.Status.LastSuccess = &backupv1alpha1.RunSummary{Name: "x", Time: at("2029-12-31T12:00:00Z")}
	known := backupv1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "nightly"}}
	rows := statusRows([]unstructured.Unstructured{object}, ready, []memberState{
		{cluster: "fresh", backups: []backupv1alpha1.Backup{known}},
		{cluster: "own", backups: []backupv1alpha1.Backup{own}},
		{cluster: "bare", reason: reasonNotInstalled},
		{cluster: "mute", reason: reasonNoAnswer, message: "no answer"},
		{cluster: "hangs", reason: reasonNoAnswer, message: "no answer"},
	})
	var out bytes.Buffer
	o := output{factory: cmdutil.NewFactory(genericiooptions.IOStreams{Out: &out, ErrOut: &out})}
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	if err := o.print(rows, nil, statusTable(rows, now), ""); err != nil {
		t.Fatal(err)
	}
	want := `CLUSTER   BACKUP         ORIGIN      LAST GOOD   OBJECTIVE   VERIFIED   NEXT RUN               REASON
mute      -              -           Unknown     Unknown     Unknown    -                      NoAnswer
never     shop/nightly   Federated   never       -           -          -                      -
silent    shop/nightly   Federated   Unknown     Unknown     Unknown    -                      NotLookedAt
unseen    shop/nightly   Federated   Unknown     Unknown     Unknown    -                      NotLookedAt
old       shop/nightly   Federated   2d ago      Exceeded    -          -                      -
own       db/hourly      Member      24h ago     -           -          -                      WrongPassword
gone      shop/nightly   Federated   120m ago    Unknown     Unknown    -                      ClusterNotReady
hangs     shop/nightly   Federated   90m ago     Unknown     Unknown    -                      NoAnswer
fresh     shop/nightly   Federated   60m ago     OK          True       2030-01-02T02:00:00Z   -
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	o.format = "name"
	if err := o.print(rows, statusNames(rows), nil, ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("backup.backup.fedctl.io/hourly\nfederatedbackup.types.kubefed.io/nightly\n", out.String()); diff != "" {
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

func TestProgress(t *testing.T) {
	for want, got := range map[string]string{
		"waits for an executor":   progressOf("", "", "", 0),
		"Running, 1200 objects":   progressOf(backupv1alpha1.RunRunning, "", "", 1200),
		"Pending":                 progressOf(backupv1alpha1.RunPending, "", "", 0),
		"Pending: DiskFull: full": progressOf(backupv1alpha1.RunPending, "DiskFull", "full", 7),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
