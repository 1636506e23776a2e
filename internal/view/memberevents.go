package view

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/fedctl/fedctl/pkg/errtext"
)

const (
	// wordsOfMember is how much of what a member calls something is shown, and messageOfMember
	// of what it says.
	wordsOfMember   = 128
	messageOfMember = 1 << 10
)

// MemberEvent is an event of a member.
type MemberEvent struct {
	Cluster   string      `json:"cluster"`
	Namespace string      `json:"namespace"`
	First     metav1.Time `json:"firstSeen"`
	Last      metav1.Time `json:"lastSeen"`
	// Count is how often it was seen; 0 if it does not say.
	Count   int32  `json:"count,omitempty"`
	Type    string `json:"type"`
	Reason  string `json:"reason"`
	Object  string `json:"object"`
	Message string `json:"message"`
}

// EventOf reads an event of a member, with what it says in one line each.
func EventOf(cluster string, e *corev1.Event) MemberEvent {
	last, first, count := e.LastTimestamp, e.FirstTimestamp, e.Count
	if last.IsZero() { // the newer API of events
		last = metav1.Time{Time: e.EventTime.Time}
	}
	if e.Series != nil {
		count = e.Series.Count
		if at := e.Series.LastObservedTime.Time; at.After(last.Time) {
			last = metav1.Time{Time: at}
		}
	}
	if first.IsZero() {
		first = metav1.Time{Time: e.EventTime.Time}
	}
	if last.IsZero() {
		last = e.CreationTimestamp
	}
	if first.IsZero() {
		first = last
	}
	return MemberEvent{
		Cluster: cluster, Namespace: errtext.Bounded(e.Namespace, wordsOfMember), First: first, Last: last, Count: count,
		Type: errtext.Bounded(e.Type, wordsOfMember), Reason: errtext.Bounded(e.Reason, wordsOfMember),
		Object:  errtext.Bounded(e.InvolvedObject.Kind+"/"+e.InvolvedObject.Name, 2*wordsOfMember),
		Message: errtext.Bounded(e.Message, messageOfMember),
	}
}

// SortEvents puts the latest last, as kubectl does.
func SortEvents(events []MemberEvent) {
	slices.SortStableFunc(events, func(a, b MemberEvent) int {
		return cmp.Or(a.Last.Compare(b.Last.Time), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Object, b.Object))
	})
}

// EventTable lays events out, one row each. namespaces has a column for theirs.
func EventTable(events []MemberEvent, namespaces bool, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{{Name: "Cluster", Type: "string"}}}
	names := []string{"Last Seen", "Type", "Reason", "Object", "Message"}
	if namespaces {
		names = append([]string{"Namespace"}, names...)
	}
	for _, name := range names {
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
	}
	for i := range events {
		e := &events[i]
		cells := []any{e.Cluster}
		if namespaces {
			cells = append(cells, e.Namespace)
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: append(cells, e.seen(now), e.Type, e.Reason, e.Object, e.Message)})
	}
	return table
}

// seen is when, and how often, as kubectl says it.
func (e *MemberEvent) seen(now time.Time) string {
	since := func(at metav1.Time) string {
		if at.IsZero() {
			return "<unknown>"
		}
		return duration.HumanDuration(now.Sub(at.Time))
	}
	if e.Count > 1 {
		return fmt.Sprintf("%s (x%d over %s)", since(e.Last), e.Count, since(e.First))
	}
	return since(e.Last)
}
