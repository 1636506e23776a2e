package view

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *metav1.Time { return &metav1.Time{Time: noon.Add(-d)} }

func runOf(backup, name string, phase backupv1alpha1.RunPhase, started time.Duration) backupv1alpha1.BackupRun {
	run := backupv1alpha1.BackupRun{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: *before(started)}}
	run.Spec.BackupRef.Name = backup
	run.Status.Phase = phase
	if phase != "" {
		run.Status.StartTime = before(started)
	}
	return run
}

func TestRuns(t *testing.T) {
	good := runOf("nightly", "n-1", backupv1alpha1.RunSucceeded, 3*time.Hour)
	good.Status.Duration = &metav1.Duration{Duration: 62*time.Second + time.Millisecond}
	good.Status.Totals = backupv1alpha1.Totals{Objects: 12, Bytes: 5 << 20, StoredBytes: 1 << 10}
	good.Status.Verified = before(time.Hour)
	failed := runOf("hourly", "h-1", backupv1alpha1.RunFailed, 2*time.Hour)
	failed.Status.Reason = "WrongPassword"
	damaged := runOf("nightly", "n-3", backupv1alpha1.RunSucceeded, 4*time.Hour)
	damaged.Status.Verified = before(2 * time.Hour)
	damaged.Status.Conditions = []metav1.Condition{{Type: backupv1alpha1.ConditionVerified, Status: metav1.ConditionFalse, Reason: "Corrupt", Message: "a pack is missing"}}
	states := []MemberBackups{
		{Cluster: "a", Runs: []backupv1alpha1.BackupRun{good, damaged, failed, runOf("nightly", "n-2", backupv1alpha1.RunRunning, time.Minute)}},
		{Cluster: "b", Reason: ReasonNoAnswer, Message: "no answer within 5s"},
		{Cluster: "bare", Reason: ReasonNotInstalled},
		{Cluster: "c", Runs: []backupv1alpha1.BackupRun{runOf("nightly", "n-0", "", 30*time.Minute)}},
	}
	for name, test := range map[string]struct{ backup, want string }{
		"all": {"", `CLUSTER   BACKUP         RUN   PHASE       STARTED    DURATION     OBJECTS   SIZE      VERIFIED   REASON
b         -              -     Unknown     -          -            -         -         -          NoAnswer
a         shop/nightly   n-2   Running     60s ago    60s so far   0         0 B       -          -
c         shop/nightly   n-0   Pending     -          -            0         0 B       -          -
a         shop/hourly    h-1   Failed      120m ago   -            0         0 B       -          WrongPassword
a         shop/nightly   n-1   Succeeded   3h ago     1m2s         12        5.0 MiB   60m ago    -
a         shop/nightly   n-3   Succeeded   4h ago     -            0         0 B       False      Corrupt
`},
		"one": {"hourly", `CLUSTER   BACKUP        RUN   PHASE     STARTED    DURATION   OBJECTS   SIZE   VERIFIED   REASON
b         -             -     Unknown   -          -          -         -      -          NoAnswer
a         shop/hourly   h-1   Failed    120m ago   -          0         0 B    -          WrongPassword
`},
	} {
		var out bytes.Buffer
		if err := (&Printer{Out: &out}).PrintTable(RunTable(Runs(states, test.backup), noon)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, out.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
