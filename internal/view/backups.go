package view

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/rollup"
	"github.com/fedctl/fedctl/pkg/federate"
)

// The words for a recovery point objective. Empty is that of a Backup that has Empty,
// and Unknown of one whose member cannot be asked or has not answered yet.
const (
	Within   = "OK"
	Exceeded = "Exceeded"
)

// Where a Backup comes from.
const (
	originFederated = "Federated"
	originMember    = "Member"
)

// Why a member could not be read, in one word.
const (
	ReasonNoAnswer     = "NoAnswer"
	ReasonForbidden    = "Forbidden"
	ReasonNotInstalled = "NotInstalled"
	ReasonNoAccess     = "NoAccess"
	ReasonNotReady     = "ClusterNotReady"
)

// ReasonNotLookedAt is a Backup without any condition.
const ReasonNotLookedAt = "NotLookedAt"

// MemberBackups are the Backups that a member was found to hold. With a reason, it
// could not be read, and nothing is known of it.
type MemberBackups struct {
	Cluster         string
	Backups         []backupv1alpha1.Backup
	Runs            []backupv1alpha1.BackupRun
	Reason, Message string
}

// Silent says that a member has not told how its backups stand. One that does not
// know Backups has told: it has none.
func (m *MemberBackups) Silent() bool { return m.Reason != "" && m.Reason != ReasonNotInstalled }

// BackupRow is a Backup in one cluster; without a name, a cluster of which nothing is known.
type BackupRow struct {
	Cluster    string       `json:"cluster"`
	Namespace  string       `json:"namespace,omitempty"`
	Name       string       `json:"name,omitempty"`
	Origin     string       `json:"origin,omitempty"`
	Objective  string       `json:"objective"`
	Verified   string       `json:"verified"`
	LastGood   *metav1.Time `json:"lastGood,omitempty"`
	LastRun    string       `json:"lastGoodRun,omitempty"`
	Next       *metav1.Time `json:"nextRun,omitempty"`
	Missed     int32        `json:"missed,omitempty"`
	ReadyState string       `json:"ready,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	Message    string       `json:"message,omitempty"`
}

func (r *BackupRow) key() string { return r.Cluster + "/" + r.Namespace + "/" + r.Name }

// Backups has a row for each Backup and cluster, the oldest recovery point first, and
// before all of them those that have none. ready are the members that are.
func Backups(federated []unstructured.Unstructured, ready map[string]bool, members []MemberBackups) []BackupRow {
	rows := []BackupRow{}
	known := map[string]bool{}
	silent := map[string]*MemberBackups{}
	for i := range members {
		if members[i].Silent() {
			silent[members[i].Cluster] = &members[i]
		}
	}
	for i := range federated {
		object := &federated[i]
		for _, cluster := range federate.ParseStatus(object.Object["status"]).Clusters {
			name := cluster.Name
			r := federatedRow(object, &cluster, ready[name] && silent[name] == nil)
			if member := silent[name]; member != nil {
				r.Reason, r.Message = member.Reason, member.Message
			}
			rows = append(rows, r)
			known[r.key()], known[name] = true, true
		}
	}
	for i := range members {
		member := &members[i]
		if member.Silent() && !known[member.Cluster] {
			rows = append(rows, BackupRow{Cluster: member.Cluster, Objective: Unknown, Verified: Unknown, Reason: member.Reason, Message: member.Message})
		}
		for j := range member.Backups {
			if r := memberRow(member, &member.Backups[j]); !known[r.key()] {
				rows = append(rows, r)
			}
		}
	}
	slices.SortFunc(rows, func(a, b BackupRow) int {
		return cmp.Or(a.age().Compare(b.age()), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return rows
}

func (r *BackupRow) age() time.Time {
	if r.LastGood == nil {
		return time.Time{}
	}
	return r.LastGood.Time
}

func federatedRow(object *unstructured.Unstructured, cluster *federate.ClusterStatus, answers bool) BackupRow {
	r := BackupRow{Cluster: cluster.Name, Namespace: object.GetNamespace(), Name: object.GetName(), Origin: originFederated}
	remote, known := rollup.Read(cluster)
	r.fill(&remote, answers && known)
	if cluster.Status != federate.ClusterPropagationOK {
		r.Reason, r.Message = string(cluster.Status), cluster.Message
	}
	if r.Reason == "" && r.Objective == Unknown && !answers {
		r.Reason, r.Message = ReasonNotReady, "the cluster is not ready or not joined; what is shown is what it said last"
	} else if r.Reason == "" && r.Objective == Unknown && !known {
		r.Reason, r.Message = ReasonNotLookedAt, "the cluster has not told how the Backup stands: it is new there, or its status is not collected"
	}
	return r
}

func memberRow(member *MemberBackups, backup *backupv1alpha1.Backup) BackupRow {
	r := BackupRow{Cluster: member.Cluster, Namespace: backup.Namespace, Name: backup.Name, Origin: originOf(backup)}
	r.fill(&backup.Status, true)
	return r
}

func originOf(backup *backupv1alpha1.Backup) string {
	if backup.Labels[federate.ManagedLabel] == "true" {
		return originFederated
	}
	return originMember
}

// fill takes over what a status says. Without any condition, nobody has looked at
// the Backup yet.
func (r *BackupRow) fill(status *backupv1alpha1.BackupStatus, answers bool) {
	if last := status.LastSuccess; last != nil {
		r.LastGood, r.LastRun = last.Time, last.Name
	}
	r.Next, r.Missed = status.NextRun, status.Missed
	r.Objective, r.Verified, r.ReadyState = Unknown, Unknown, Unknown
	if answers && len(status.Conditions) == 0 {
		r.Reason, r.Message = ReasonNotLookedAt, "no executor has looked at the Backup yet: it is new, or nobody executes the backups of this cluster"
	}
	if !answers || len(status.Conditions) == 0 {
		return
	}
	r.Objective = map[metav1.ConditionStatus]string{"": Empty, metav1.ConditionTrue: Within, metav1.ConditionFalse: Exceeded, metav1.ConditionUnknown: Unknown}[rollup.Objective(status)]
	r.Verified = word(meta.FindStatusCondition(status.Conditions, backupv1alpha1.ConditionVerified), "True", "False")
	ready := meta.FindStatusCondition(status.Conditions, backupv1alpha1.ConditionReady)
	r.ReadyState = word(ready, "True", "False")
	within := meta.FindStatusCondition(status.Conditions, backupv1alpha1.ConditionWithinObjective)
	scheduled := meta.FindStatusCondition(status.Conditions, backupv1alpha1.ConditionScheduled)
	switch {
	case ready != nil && ready.Status != metav1.ConditionTrue:
		r.Reason, r.Message = ready.Reason, ready.Message
	case scheduled != nil && scheduled.Status == metav1.ConditionFalse: // it is suspended, for example
		r.Reason, r.Message = scheduled.Reason, scheduled.Message
	case r.Objective == Unknown && within != nil: // there has been no run yet
		r.Reason, r.Message = within.Reason, within.Message
	}
}

func word(condition *metav1.Condition, yes, no string) string {
	switch {
	case condition == nil:
		return Empty
	case condition.Status == metav1.ConditionTrue:
		return yes
	case condition.Status == metav1.ConditionFalse:
		return no
	}
	return Unknown
}

// BackupTable lays rows out. now is for ages.
func BackupTable(rows []BackupRow, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: Columns(8, "Cluster", "Backup", "Origin", "Last Good", "Objective", "Verified", "Next Run", "Reason", "Ready", "Missed", "Message")}
	for i := range rows {
		r := &rows[i]
		last, name := Ago(r.LastGood, now), Empty
		switch {
		case r.LastGood == nil && r.Objective == Unknown && (r.ReadyState == "" || r.ReadyState == Unknown):
			last = Unknown // nobody has told anything
		case r.LastGood == nil:
			last = "never"
		}
		if r.Name != "" {
			name = r.Namespace + "/" + r.Name
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{
			r.Cluster, name, Text(r.Origin), last, r.Objective, r.Verified, Stamp(r.Next),
			Text(r.Reason), Text(r.ReadyState), r.Missed, Text(r.Message),
		}})
	}
	return table
}

// BackupNames are the names of the rows' objects, as kubectl takes them, each once.
func BackupNames(rows []BackupRow) []string {
	var names []string
	for i := range rows {
		switch rows[i].Origin {
		case originFederated:
			names = append(names, "federatedbackup.types.kubefed.io/"+rows[i].Name)
		case originMember:
			names = append(names, "backup.backup.fedctl.io/"+rows[i].Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
