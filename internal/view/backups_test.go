package view

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

func TestBackups(t *testing.T) {
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
  - name: new
    remoteStatus: {conditions: [{type: Ready, status: "True"}, {type: WithinObjective, status: Unknown, reason: NoRunYet}]}
  - name: paused
    remoteStatus: {conditions: [{type: Ready, status: "True"}, {type: Scheduled, status: "False", reason: Suspended}]}
`
	var object unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	ready := map[string]bool{"fresh": true, "old": true, "silent": true, "never": true, "unseen": true, "new": true, "paused": true, "own": true, "mute": true, "hangs": true}
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
	rows := Backups([]unstructured.Unstructured{object}, ready, []MemberBackups{
		{Cluster: "fresh", Backups: []backupv1alpha1.Backup{known}},
		{Cluster: "own", Backups: []backupv1alpha1.Backup{own}},
		{Cluster: "bare", Reason: ReasonNotInstalled},
		{Cluster: "mute", Reason: ReasonNoAnswer, Message: "no answer"},
		{Cluster: "hangs", Reason: ReasonNoAnswer, Message: "no answer"},
	})
	var out bytes.Buffer
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	if err := (&Printer{Out: &out}).Print(List{Table: BackupTable(rows, now)}); err != nil {
		t.Fatal(err)
	}
	want := `CLUSTER   BACKUP         ORIGIN      LAST GOOD   OBJECTIVE   VERIFIED   NEXT RUN               REASON
mute      -              -           Unknown     Unknown     Unknown    -                      NoAnswer
never     shop/nightly   Federated   never       -           -          -                      -
new       shop/nightly   Federated   never       Unknown     -          -                      NoRunYet
paused    shop/nightly   Federated   never       -           -          -                      Suspended
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
	if err := (&Printer{Out: &out, Format: Name}).Print(List{Items: rows, Names: BackupNames(rows)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("backup.backup.fedctl.io/hourly\nfederatedbackup.types.kubefed.io/nightly\n", out.String()); diff != "" {
		t.Error(diff)
	}
}
