package view

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/federate"
)

// ObjectTable lays rows out with one column for each of the clusters. now is for ages.
func ObjectTable(rows []ObjectRow, clusters []string, now time.Time) *metav1.Table {
	t := &metav1.Table{ColumnDefinitions: ObjectColumns(clusters)}
	for i := range rows {
		cells := append(rows[i].cells(clusters), Age(rows[i].CreationTimestamp, now))
		t.Rows = append(t.Rows, metav1.TableRow{Cells: append(cells, rows[i].wideCells()...)})
	}
	return t
}

// ObjectColumns are the columns of an ObjectTable.
func ObjectColumns(clusters []string) []metav1.TableColumnDefinition {
	names := slices.Concat([]string{"Namespace", "Name", "Propagated", "Ready"}, clusters, []string{"Age"})
	return Columns(len(names), append(names, "Reason", "Message")...)
}

// ObjectClusters are the joined clusters and those that a row tells of, sorted.
func ObjectClusters(joined []string, rows []ObjectRow) []string {
	names := map[string]bool{}
	for _, name := range joined {
		names[name] = true
	}
	for i := range rows {
		for _, c := range rows[i].Clusters {
			names[c.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Shown are the cells of a row, but for its age: a row whose cells are the same looks
// the same.
func (r *ObjectRow) Shown(wide bool) []any {
	cells := r.cells(ObjectClusters(nil, []ObjectRow{*r}))
	if wide {
		cells = append(cells, r.wideCells()...)
	}
	return cells
}

// cells are those up to the age.
func (r *ObjectRow) cells(clusters []string) []any {
	cells := []any{cmp.Or(r.Namespace, Empty), strings.ToLower(r.Kind) + "/" + r.Name, r.propagatedCell(), r.readyCell()}
	for _, cluster := range clusters {
		cell := Empty
		for i := range r.Clusters {
			if r.Clusters[i].Name == cluster {
				cell = r.Clusters[i].word()
			}
		}
		cells = append(cells, cell)
	}
	return cells
}

// propagatedCell adds the reason where no column of a cluster tells it.
func (r *ObjectRow) propagatedCell() string {
	switch {
	case r.Propagated == federate.ConditionFalse && r.Reason != "" && r.Reason != string(federate.CheckClusters):
		return r.Propagated + ":" + r.Reason
	case r.Propagated == federate.ConditionTrue && r.Problem != nil:
		return r.Propagated + ":" + r.Problem.Reason
	}
	return r.Propagated
}

// readyCell adds the reason where the object is propagated and does not work all the same.
func (r *ObjectRow) readyCell() string {
	if r.Propagated == Deleted {
		return Empty
	}
	if r.Ready != Pending && r.Ready != federate.ConditionTrue && r.Propagated == federate.ConditionTrue && r.ReadyReason != "" {
		return r.Ready + ":" + r.ReadyReason
	}
	return cmp.Or(r.Ready, Empty)
}

// wideCells are reason and message; those of readiness and of the problem follow the condition's, and then
// what others have written, or scale.
func (r *ObjectRow) wideCells() []any {
	reasons, messages := nonEmpty(r.Reason), nonEmpty(r.Message)
	if r.Propagated == federate.ConditionTrue && r.Ready != federate.ConditionTrue {
		reasons, messages = append(reasons, nonEmpty(r.ReadyReason)...), append(messages, nonEmpty(r.ReadyMessage)...)
	}
	if r.Problem != nil {
		reasons = append(reasons, nonEmpty(r.Problem.Reason)...)
		messages = append(messages, nonEmpty(r.Problem.Message)...)
	}
	for i := range r.Clusters {
		if c := &r.Clusters[i]; c.AlsoWrittenBy != "" {
			messages = append(messages, c.Name+": also written by "+c.AlsoWrittenBy)
		}
		if says := r.Clusters[i].Autoscaling; says != "" {
			messages = append(messages, r.Clusters[i].Name+": "+says)
		}
	}
	return []any{Text(strings.Join(reasons, ",")), Text(strings.Join(messages, "; "))}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
