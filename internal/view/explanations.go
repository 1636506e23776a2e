package view

import (
	"encoding/json"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ExplanationRow says of one cluster whether an object is placed there, why, and in what
// its object differs from the template.
type ExplanationRow struct {
	Cluster string `json:"cluster"`
	Placed  bool   `json:"placed"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Status is what the controller said last: OK, or a word of the object's status.
	// Empty where it has said nothing.
	Status string `json:"status,omitempty"`
	// Replicas is what is asked of it there; nil where it has none, or they are the member's.
	Replicas *int64 `json:"replicas,omitempty"`
	// ReplicasLeft says why they are the member's: Autoscaled, Kept or Unreadable; empty where
	// no autoscaler has made them so.
	ReplicasLeft string `json:"replicasLeft,omitempty"`
	// Health is how the object fares there, as the controller said last.
	Health *ObjectHealth `json:"health,omitempty"`
	// Pods is how many pods the object asks for there, over all its components; nil where
	// nothing in it tells.
	Pods *int64 `json:"pods,omitempty"`
	// Error is why the object cannot be made for the cluster.
	Error string `json:"error,omitempty"`
	// Notes say what the user should know of an object that can be made.
	Notes []string `json:"notes,omitempty"`
	// Changes are the fields that differ in the end; where one field is followed, all that has
	// changed it, in the order in which that is done.
	Changes []FieldChange `json:"changes,omitempty"`
}

// FieldChange is a field that is not as in the template.
type FieldChange struct {
	Field  string `json:"field"`
	Before any    `json:"before,omitempty"`
	After  any    `json:"after,omitempty"`
	// Origin is what wrote it, such as spec.overrides[0].clusterOverrides[1].
	Origin string `json:"origin"`
	// Because says from what the value was derived, such as a taint and its nodes.
	Because []string `json:"because,omitempty"`
}

// Hidden stands for a value that is not shown.
const Hidden = "(hidden)"

// ExplanationTable has a line for each cluster.
func ExplanationTable(rows []ExplanationRow) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: Columns(7, "Cluster", "Placed", "Reason", "Replicas", "Status", "Health", "Changes", "Pods", "Message")}
	for i := range rows {
		r := &rows[i]
		placed := "No"
		if r.Placed {
			placed = "Yes"
		}
		pods := Empty
		if r.Pods != nil {
			pods = strconv.FormatInt(*r.Pods, 10)
		}
		health := ""
		if r.Health != nil {
			health = r.Health.Status
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{
			r.Cluster, placed, r.Reason, Text(r.replicas()), Text(r.Status), Text(health), len(r.Changes), pods, Text(r.Message),
		}})
	}
	return table
}

func (r *ExplanationRow) replicas() string {
	if r.Replicas == nil {
		return r.ReplicasLeft
	}
	return strconv.FormatInt(*r.Replicas, 10)
}

// ChangeTable has a line for each field that differs in a cluster.
func ChangeTable(changes []FieldChange) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: Columns(4, "Field", "Value", "Instead of", "From")}
	for _, change := range changes {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{change.Field, valueCell(change.After), valueCell(change.Before), change.from()}})
	}
	return table
}

// from is what wrote a change, and from what it was derived.
func (c *FieldChange) from() string {
	if len(c.Because) == 0 {
		return c.Origin
	}
	return c.Origin + ", " + strings.Join(c.Because, "; ")
}

// mostOfValue is how much of a value a cell shows, in characters.
const mostOfValue = 48

func valueCell(v any) string {
	text := []rune(valueText(v))
	if len(text) > mostOfValue {
		text = append(text[:mostOfValue-3], '.', '.', '.')
	}
	return Text(string(text))
}

func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	data, err := json.Marshal(v)
	if err != nil {
		return Unknown
	}
	return string(data)
}

// In is what the controller said last of an object in a cluster; the zero value if nothing.
func (r ObjectRow) In(cluster string) ObjectCluster {
	for i := range r.Clusters {
		if r.Clusters[i].Name == cluster {
			return r.Clusters[i]
		}
	}
	return ObjectCluster{}
}
