package status

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/fedctl/fedctl/pkg/federate"
)

// absent stands for what is not there: a placement, a namespace, a reason.
const absent = "-"

// table lays rows out with one column for each of the clusters. now is for ages.
func table(rows []row, clusters []string, now time.Time) *metav1.Table {
	t := &metav1.Table{ColumnDefinitions: columns(clusters)}
	for i := range rows {
		cells := append(rows[i].cells(clusters), rows[i].age(now))
		t.Rows = append(t.Rows, metav1.TableRow{Cells: append(cells, rows[i].wideCells()...)})
	}
	return t
}

func columns(clusters []string) []metav1.TableColumnDefinition {
	names := slices.Concat([]string{"Namespace", "Name", "Propagated"}, clusters, []string{"Age"})
	definitions := make([]metav1.TableColumnDefinition, 0, len(names)+2)
	for _, name := range names {
		definitions = append(definitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
	}
	for _, name := range []string{"Reason", "Message"} {
		definitions = append(definitions, metav1.TableColumnDefinition{Name: name, Type: "string", Priority: 1})
	}
	return definitions
}

// cells are those up to the age.
func (r *row) cells(clusters []string) []any {
	cells := []any{cmp.Or(r.Namespace, absent), r.reference(), r.propagatedCell()}
	for _, cluster := range clusters {
		cell := absent
		for i := range r.Clusters {
			if r.Clusters[i].Name == cluster {
				cell = r.Clusters[i].Status
			}
		}
		cells = append(cells, cell)
	}
	return cells
}

// propagatedCell adds the reason where no column of a cluster tells it.
func (r *row) propagatedCell() string {
	switch {
	case r.Propagated == federate.ConditionFalse && r.Reason != "" && r.Reason != string(federate.CheckClusters):
		return r.Propagated + ":" + r.Reason
	case r.Propagated == federate.ConditionTrue && r.Problem != nil:
		return r.Propagated + ":" + r.Problem.Reason
	}
	return r.Propagated
}

// wideCells are reason and message; those of the problem follow the condition's.
func (r *row) wideCells() []any {
	reasons, messages := nonEmpty(r.Reason), nonEmpty(r.Message)
	if r.Problem != nil {
		reasons = append(reasons, nonEmpty(r.Problem.Reason)...)
		messages = append(messages, nonEmpty(r.Problem.Message)...)
	}
	return []any{cmp.Or(strings.Join(reasons, ","), absent), cmp.Or(strings.Join(messages, "; "), absent)}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func (r *row) age(now time.Time) string {
	if r.CreationTimestamp.IsZero() {
		return absent
	}
	return duration.HumanDuration(now.Sub(r.CreationTimestamp.Time))
}

// clusterColumns are the joined clusters and those that a row tells of, sorted.
func clusterColumns(joined []string, rows []row) []string {
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
