package kit

import (
	"cmp"
	"context"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Notes are what events say of an object, as "Reason: note". An error stands among
// them, so that the spec that waits for one tells it.
func Notes(ctx context.Context, c client.Reader, kind, namespace, name string) []string {
	var list eventsv1.EventList
	if err := c.List(ctx, &list, client.InNamespace(cmp.Or(namespace, "default"))); err != nil {
		return []string{err.Error()}
	}
	var notes []string
	for i := range list.Items {
		if e := &list.Items[i]; e.Regarding.Kind == kind && e.Regarding.Name == name {
			notes = append(notes, e.Reason+": "+e.Note)
		}
	}
	return notes
}
