package fleet

import (
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/fedctl/fedctl/pkg/answers"
)

// initialWatch tells when a watch has told of the objects that were there before it.
// watch.Filter could, but what it has in its hand when it is stopped it holds for ever,
// and a server can have watches fail as often as it likes.
type initialWatch struct {
	of      watch.Interface
	events  chan watch.Event
	stopped chan struct{}
	stop    sync.Once
}

func newInitialWatch(of watch.Interface, initial *answers.Initial) *initialWatch {
	w := &initialWatch{of: of, events: make(chan watch.Event), stopped: make(chan struct{})}
	go w.pass(initial)
	return w
}

func (w *initialWatch) pass(initial *answers.Initial) {
	defer close(w.events)
	for event := range w.of.ResultChan() {
		if o, ok := event.Object.(metav1.Object); ok && event.Type == watch.Bookmark && o.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true" {
			initial.Over()
		}
		select {
		case w.events <- event:
		case <-w.stopped:
			return
		}
	}
}

// Stop implements watch.Interface.
func (w *initialWatch) Stop() {
	w.stop.Do(func() { close(w.stopped) })
	w.of.Stop()
}

// ResultChan implements watch.Interface.
func (w *initialWatch) ResultChan() <-chan watch.Event { return w.events }
