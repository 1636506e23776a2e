package view

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// RunRow is a BackupRun in one cluster; without a name, a cluster that was not read.
type RunRow struct {
	Cluster     string                  `json:"cluster"`
	Namespace   string                  `json:"namespace,omitempty"`
	Backup      string                  `json:"backup,omitempty"`
	Run         string                  `json:"run,omitempty"`
	Phase       backupv1alpha1.RunPhase `json:"phase"`
	Started     *metav1.Time            `json:"started,omitempty"`
	Duration    *metav1.Duration        `json:"duration,omitempty"`
	Objects     int64                   `json:"objects"`
	Bytes       int64                   `json:"bytes"`
	StoredBytes int64                   `json:"storedBytes"`
	// Verified is when it was last read back and found whole.
	Verified *metav1.Time `json:"verified,omitempty"`
	// Damaged says that it cannot be restored as it was saved.
	Damaged    bool   `json:"damaged,omitempty"`
	Repository string `json:"repository,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Message    string `json:"message,omitempty"`

	at time.Time
}

// Runs has a row for each member that was not read, and then for each run, the
// newest first; backup is empty for all.
func Runs(members []MemberBackups, backup string) []RunRow {
	rows := []RunRow{}
	for i := range members {
		member := &members[i]
		if member.Silent() {
			rows = append(rows, RunRow{Cluster: member.Cluster, Phase: Unknown, Reason: member.Reason, Message: member.Message})
		}
		for j := range member.Runs {
			if run := &member.Runs[j]; backup == "" || run.Spec.BackupRef.Name == backup {
				rows = append(rows, runRow(member.Cluster, run))
			}
		}
	}
	slices.SortFunc(rows, func(a, b RunRow) int {
		switch {
		case a.Run == "" && b.Run != "":
			return -1
		case a.Run != "" && b.Run == "":
			return 1
		}
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Run, b.Run))
	})
	return rows
}

func runRow(cluster string, run *backupv1alpha1.BackupRun) RunRow {
	status := &run.Status
	r := RunRow{
		Cluster: cluster, Namespace: run.Namespace, Backup: run.Spec.BackupRef.Name, Run: run.Name,
		Phase: cmp.Or(status.Phase, backupv1alpha1.RunPending), Started: status.StartTime, Duration: status.Duration,
		Objects: status.Totals.Objects, Bytes: status.Totals.Bytes, StoredBytes: status.Totals.StoredBytes,
		Verified: status.Verified, Repository: status.Repository, Reason: status.Reason, Message: status.Message,
		at: run.CreationTimestamp.Time,
	}
	verified := meta.FindStatusCondition(status.Conditions, backupv1alpha1.ConditionVerified)
	if verified != nil && verified.Status == metav1.ConditionFalse {
		r.Damaged = true
		r.Reason, r.Message = cmp.Or(r.Reason, verified.Reason), cmp.Or(r.Message, verified.Message)
	}
	if status.StartTime != nil {
		r.at = status.StartTime.Time
	}
	return r
}

// RunTable lays rows out. now is for ages.
func RunTable(rows []RunRow, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: Columns(10, "Cluster", "Backup", "Run", "Phase", "Started", "Duration", "Objects", "Size", "Verified", "Reason", "Stored", "Repository", "Message")}
	for i := range rows {
		r := &rows[i]
		cells := []any{r.Cluster, Empty, Empty, string(r.Phase), Empty, Empty, Empty, Empty, Empty, Text(r.Reason), Empty, Empty, Text(r.Message)}
		if r.Run != "" {
			copy(cells[1:], []any{r.Namespace + "/" + r.Backup, r.Run})
			copy(cells[4:], []any{Ago(r.Started, now), lasted(r, now), r.Objects, Size(r.Bytes), readBack(r, now)})
			copy(cells[10:], []any{Size(r.StoredBytes), Text(r.Repository)})
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: cells})
	}
	return table
}

// readBack is when a run was read back and whole; False for one that is not any more.
func readBack(r *RunRow, now time.Time) string {
	if r.Damaged {
		return string(metav1.ConditionFalse)
	}
	return Ago(r.Verified, now)
}

// lasted is how long a run took, or has taken so far.
func lasted(r *RunRow, now time.Time) string {
	switch {
	case r.Duration != nil:
		return r.Duration.Round(time.Second).String()
	case r.Phase == backupv1alpha1.RunRunning && r.Started != nil:
		return duration.HumanDuration(now.Sub(r.Started.Time)) + " so far"
	}
	return Empty
}

// RunNames are the names of the rows' BackupRuns, as kubectl takes them, each once.
func RunNames(rows []RunRow) []string {
	var names []string
	for i := range rows {
		if rows[i].Run != "" {
			names = append(names, "backuprun.backup.fedctl.io/"+rows[i].Run)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
