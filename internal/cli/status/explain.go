package status

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/view"
)

// A definition that KubeFed has made has no fields for messages: what the controller
// says there is lost. Its events have said it, as long as they are kept.

// explain looks for what rows cannot say, with one request for each namespace that has any.
func (s *source) explain(ctx context.Context, rows []view.ObjectRow) {
	read := map[string][]eventsv1.Event{}
	for i := range rows {
		r := &rows[i]
		if !unexplained(r) {
			continue
		}
		events, known := read[r.Namespace]
		if !known {
			events = s.events(ctx, r.Namespace)
			read[r.Namespace] = events
		}
		explainBy(r, events)
	}
}

// unexplained says whether there is something wrong with an object, and no word why.
func unexplained(r *view.ObjectRow) bool {
	return r.Reason != "" && r.Message == "" || r.Problem != nil && r.Problem.Message == ""
}

// events are those of a namespace; none if they cannot be read.
func (s *source) events(ctx context.Context, namespace string) []eventsv1.Event {
	if namespace == "" {
		namespace = "default" // where those about objects without one are
	}
	var list eventsv1.EventList
	if err := s.host.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil
	}
	slices.SortStableFunc(list.Items, func(a, b eventsv1.Event) int { return lastOf(&a).Compare(lastOf(&b)) })
	return list.Items
}

func lastOf(e *eventsv1.Event) time.Time {
	if e.Series != nil {
		return e.Series.LastObservedTime.Time
	}
	return e.EventTime.Time
}

// explainBy fills in what events have said of the present words.
func explainBy(r *view.ObjectRow, events []eventsv1.Event) {
	last := func(reason, cluster string) (note string) {
		for i := range events {
			e := &events[i]
			about := e.Regarding.Kind == r.Kind && e.Regarding.Name == r.Name && e.Reason == reason
			if about && (cluster == "" || e.Related != nil && e.Related.Name == cluster) {
				note = strings.TrimPrefix(e.Note, "cluster "+cluster+": ")
			}
		}
		return note
	}
	var said []string
	for i := range r.Clusters {
		if c := &r.Clusters[i]; c.Message == "" && c.Status != view.StatusOK {
			if c.Message = last(c.Status, c.Name); c.Message != "" {
				said = append(said, fmt.Sprintf("%s %s (%s)", c.Name, c.Status, c.Message))
			}
		}
	}
	if r.Reason != "" && r.Message == "" {
		if r.Message = strings.Join(said, "; "); r.Message == "" {
			r.Message = fmt.Sprintf("its definition has no field for messages, and no event tells: \"fedctl enable %s\" adds it", r.Type)
		}
	}
	if r.Problem != nil && r.Problem.Message == "" {
		r.Problem.Message = last("PartlyIgnored", "")
	}
}
