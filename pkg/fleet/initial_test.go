package fleet

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/fedctl/fedctl/pkg/answers"
)

// TestStoppedWatchHoldsNothing: an event that nobody takes keeps no goroutine.
func TestStoppedWatchHoldsNothing(t *testing.T) {
	server := watch.NewFake()
	_, initial := answers.WithInitial(t.Context(), 0)
	w := newInitialWatch(server, initial)
	go server.Add(object("a", "1", ""))
	if event := <-w.ResultChan(); event.Type != watch.Added {
		t.Errorf("got %v", event)
	}
	server.Action(watch.Bookmark, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}}) // is taken from the server, and by nobody from here
	w.Stop()
	w.Stop()
	for range w.ResultChan() { // one event may come, and then the end
	}
}
