package backup

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/rollup"
	"github.com/fedctl/fedctl/pkg/federate"
)

// The words for a recovery point objective.
const (
	within  = "OK"
	outside = "Exceeded"
	none    = "-"
	// unknown is never OK: the member cannot be asked, or has not answered yet.
	unknown = "Unknown"
)

// reasonNotLookedAt is a Backup without any condition.
const reasonNotLookedAt = "NotLookedAt"

// Where a Backup comes from.
const (
	originFederated = "Federated"
	originMember    = "Member"
)

// row is a Backup in one cluster; without a name, a cluster of which nothing is known.
type row struct {
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

func (r *row) key() string { return r.Cluster + "/" + r.Namespace + "/" + r.Name }

// silent says that a member has not told how its backups stand. One that does not
// know Backups has told: it has none.
func (m *memberState) silent() bool { return m.reason != "" && m.reason != reasonNotInstalled }

// statusRows has a row for each Backup and cluster, the oldest recovery point first,
// and before all of them those that have none.
func statusRows(federated []unstructured.Unstructured, ready map[string]bool, states []memberState) []row {
	rows := []row{}
	known := map[string]bool{}
	silent := map[string]*memberState{}
	for i := range states {
		if states[i].silent() {
			silent[states[i].cluster] = &states[i]
		}
	}
	for i := range federated {
		object := &federated[i]
		for _, cluster := range federate.ParseStatus(object.Object["status"]).Clusters {
			name := cluster.Name
			r := federatedRow(object, &cluster, ready[name] && silent[name] == nil)
			if state := silent[name]; state != nil {
				r.Reason, r.Message = state.reason, state.message
			}
			rows = append(rows, r)
			known[r.key()], known[name] = true, true
		}
	}
	for i := range states {
		state := &states[i]
		if state.silent() && !known[state.cluster] {
			rows = append(rows, row{Cluster: state.cluster, Objective: unknown, Verified: unknown, Reason: state.reason, Message: state.message})
		}
		for j := range state.backups {
			if r := memberRow(state, &state.backups[j]); !known[r.key()] {
				rows = append(rows, r)
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(a.age().Compare(b.age()), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return rows
}

func (r *row) age() time.Time {
	if r.LastGood == nil {
		return time.Time{}
	}
	return r.LastGood.Time
}

func federatedRow(object *unstructured.Unstructured, cluster *federate.ClusterStatus, answers bool) row {
	r := row{Cluster: cluster.Name, Namespace: object.GetNamespace(), Name: object.GetName(), Origin: originFederated}
	remote, known := rollup.Read(cluster)
	r.fill(&remote, answers && known)
	if cluster.Status != federate.ClusterPropagationOK {
		r.Reason, r.Message = string(cluster.Status), cluster.Message
	}
	if r.Reason == "" && r.Objective == unknown && !answers {
		r.Reason, r.Message = reasonNotReady, "the cluster is not ready or not joined; what is shown is what it said last"
	} else if r.Reason == "" && r.Objective == unknown && !known {
		r.Reason, r.Message = reasonNotLookedAt, "the cluster has not told how the Backup stands: it is new there, or its status is not collected"
	}
	return r
}

func memberRow(state *memberState, backup *backupv1alpha1.Backup) row {
	r := row{Cluster: state.cluster, Namespace: backup.Namespace, Name: backup.Name, Origin: originOf(backup)}
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
func (r *row) fill(status *backupv1alpha1.BackupStatus, answers bool) {
	if last := status.LastSuccess; last != nil {
		r.LastGood, r.LastRun = last.Time, last.Name
	}
	r.Next, r.Missed = status.NextRun, status.Missed
	r.Objective, r.Verified, r.ReadyState = unknown, unknown, unknown
	if answers && len(status.Conditions) == 0 {
		r.Reason, r.Message = reasonNotLookedAt, "no executor has looked at the Backup yet: it is new, or nobody executes the backups of this cluster"
	}
	if !answers || len(status.Conditions) == 0 {
		return
	}
	r.Objective = map[metav1.ConditionStatus]string{"": none, metav1.ConditionTrue: within, metav1.ConditionFalse: outside, metav1.ConditionUnknown: unknown}[rollup.Objective(status)]
	r.Verified = word(meta.FindStatusCondition(status.Conditions, backupv1alpha1.ConditionVerified), "True", "False")
	ready := meta.FindStatusCondition(status.Conditions, backupv1alpha1.ConditionReady)
	r.ReadyState = word(ready, "True", "False")
	if ready != nil && ready.Status != metav1.ConditionTrue {
		r.Reason, r.Message = ready.Reason, ready.Message
	}
}

func word(condition *metav1.Condition, yes, no string) string {
	switch {
	case condition == nil:
		return none
	case condition.Status == metav1.ConditionTrue:
		return yes
	case condition.Status == metav1.ConditionFalse:
		return no
	}
	return unknown
}

func statusTable(rows []row, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: columns(8, "Cluster", "Backup", "Origin", "Last Good", "Objective", "Verified", "Next Run", "Reason", "Ready", "Missed", "Message")}
	for i := range rows {
		r := &rows[i]
		last := ago(r.LastGood, now)
		switch {
		case r.LastGood == nil && r.Objective == unknown:
			last = unknown
		case r.LastGood == nil:
			last = "never"
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{
			r.Cluster, backupName(r.Namespace, r.Name), orNone(r.Origin), last, r.Objective, r.Verified, stamp(r.Next),
			orNone(r.Reason), orNone(r.ReadyState), r.Missed, orNone(oneLine(r.Message)),
		}})
	}
	return table
}

func statusNames(rows []row) []string {
	var names []string
	for i := range rows {
		switch rows[i].Origin {
		case originFederated:
			names = append(names, "federatedbackup.types.kubefed.io/"+rows[i].Name)
		case originMember:
			names = append(names, "backup.backup.fedctl.io/"+rows[i].Name)
		}
	}
	return names
}

func backupName(namespace, name string) string {
	if name == "" {
		return none
	}
	return namespace + "/" + name
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
