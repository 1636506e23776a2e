package view

import (
	"bytes"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEventsOfMembersAreByTheirLastTime(t *testing.T) {
	now := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	ago := func(minutes int) metav1.Time { return metav1.NewTime(now.Add(-time.Duration(minutes) * time.Minute)) }
	event := func(name string, e corev1.Event) *corev1.Event {
		e.Namespace, e.Type, e.Reason, e.Message = "shop", "Warning", "BackOff", name
		e.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Name: name}
		return &e
	}
	events := []MemberEvent{
		EventOf("b", event("old", corev1.Event{FirstTimestamp: ago(30), LastTimestamp: ago(20), Count: 3})),
		EventOf("b", event("series", corev1.Event{EventTime: metav1.NewMicroTime(ago(9).Time), Series: &corev1.EventSeries{Count: 2, LastObservedTime: metav1.NewMicroTime(ago(1).Time)}})),
		EventOf("a", event("new", corev1.Event{EventTime: metav1.NewMicroTime(ago(5).Time)})),
		EventOf("a", event("hostile\x1b[2J\nNAME", corev1.Event{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: ago(40)}})),
	}
	SortEvents(events)
	var out bytes.Buffer
	if err := (&Printer{Out: &out}).PrintTable(EventTable(events, true, now)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CLUSTER NAMESPACE LAST SEEN TYPE REASON OBJECT MESSAGE",
		"a shop 40m Warning BackOff Pod/hostile [2J NAME hostile [2J NAME",
		"b shop 20m (x3 over 30m) Warning BackOff Pod/old old",
		"a shop 5m Warning BackOff Pod/new new",
		"b shop 60s (x2 over 9m) Warning BackOff Pod/series series",
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if got := strings.Join(strings.Fields(line), " "); i >= len(want) || got != want[i] {
			t.Errorf("line %d: %q", i, got)
		}
	}
	if table := EventTable(events, false, now); len(table.ColumnDefinitions) != 6 || len(table.Rows[0].Cells) != 6 {
		t.Errorf("without namespaces: %v", table.ColumnDefinitions)
	}
}
