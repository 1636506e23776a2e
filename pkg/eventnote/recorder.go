package eventnote

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// Source is a manager, as far as events go.
type Source interface {
	GetEventRecorder(name string) events.EventRecorder
}

// Recorder sends events whose notes fit. A nil Recorder sends none.
type Recorder struct{ to events.EventRecorder }

// NewRecorder returns the recorder of a manager for the controller of that name.
func NewRecorder(source Source, controller string) *Recorder {
	return &Recorder{to: source.GetEventRecorder(controller)}
}

// Eventf sends an event about an object, as client-go's recorders do. related is
// another object that it is about, or nil.
func (r *Recorder) Eventf(regarding, related runtime.Object, eventType, reason, action, note string, args ...any) {
	if r == nil {
		return
	}
	r.to.Eventf(regarding, related, eventType, reason, action, "%s", Note(fmt.Sprintf(note, args...)))
}
