package view

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

func TestExplainBlocked(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }
	clusters := []fedcorev1beta1.KubeFedCluster{
		{ObjectMeta: metav1.ObjectMeta{Name: "blocked", Annotations: map[string]string{backupv1alpha1.BlockedAnnotation: "Forbidden: it may not create leases: do this"}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "free"}},
	}
	for name, test := range map[string]struct {
		row               BackupRow
		objective, reason string
	}{
		"nobody has looked at it":   {BackupRow{Cluster: "blocked", Name: "a", Objective: Unknown, ReadyState: Unknown}, Unknown, "Forbidden"},
		"nobody runs it any more":   {BackupRow{Cluster: "blocked", Name: "a", Objective: Within, ReadyState: "True", Next: at(-2 * time.Minute)}, Unknown, "Forbidden"},
		"somebody else executes it": {BackupRow{Cluster: "blocked", Name: "a", Objective: Within, ReadyState: "True", Next: at(time.Hour)}, Within, ""},
		"it was just due":           {BackupRow{Cluster: "blocked", Name: "a", Objective: Within, ReadyState: "True", Next: at(-time.Second)}, Within, ""},
		"the cluster is silent":     {BackupRow{Cluster: "blocked", Objective: Unknown, ReadyState: "", Reason: "NoAnswer"}, Unknown, "NoAnswer"},
		"another cluster":           {BackupRow{Cluster: "free", Name: "a", Objective: Unknown, ReadyState: Unknown}, Unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rows := []BackupRow{test.row}
			ExplainBlocked(rows, clusters, now)
			if got := rows[0]; got.Objective != test.objective || got.Reason != test.reason {
				t.Errorf("objective %s, reason %q; want %s, %q", got.Objective, got.Reason, test.objective, test.reason)
			} else if got.Reason == "Forbidden" && got.Message != "it may not create leases: do this" {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}
