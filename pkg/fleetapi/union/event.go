package union

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The types of events of a watch.
const (
	Added    = "ADDED"
	Modified = "MODIFIED"
	Deleted  = "DELETED"
	Bookmark = "BOOKMARK"
	Error    = "ERROR"
)

// Events are those of a member's watch, read one by one.
type Events struct{ values *values }

// NewEvents reads a watch.
func NewEvents(from io.Reader) *Events { return &Events{newValues(from)} }

// Event is one of a member's watch. Its object is there until the next one is read.
type Event struct {
	Type   string
	Object []byte
}

// Next is the next event. io.EOF: the watch has ended between two.
func (e *Events) Next() (event Event, err error) {
	if _, err := e.values.peek(); err != nil {
		return event, err
	}
	value, err := e.values.next()
	if err != nil {
		return event, err
	}
	for key, value := range pairs(value) {
		switch key {
		case "type":
			event.Type = textOf(value)
		case "object":
			event.Object = value
		}
	}
	switch event.Type {
	case Added, Modified, Deleted, Bookmark, Error:
		if len(event.Object) > 0 && event.Object[0] == '{' {
			return event, nil
		}
	}
	return event, errors.New("what it says is no event of a watch")
}

// AppendEvent writes an event around an object that write appends.
func AppendEvent(to []byte, kind string, write func([]byte) ([]byte, error)) ([]byte, error) {
	to = append(appendText(append(to, `{"type":`...), kind), `,"object":`...)
	to, err := write(to)
	return append(to, "}\n"...), err
}

// AppendTable writes a table around one row that write appends, as the event of a watch
// has it. The first one of a watch has columns, the others do not repeat them.
func AppendTable(to []byte, version string, columns Columns, first bool, write func([]byte) ([]byte, error)) ([]byte, error) {
	to = appendText(append(to, `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":`...), version)
	to = append(to, `},"columnDefinitions":`...)
	if first {
		to = append(to, columns.raw()...)
	} else {
		to = append(to, "null"...)
	}
	to, err := write(append(to, `,"rows":[`...))
	return append(to, "]}"...), err
}

// AppendBookmark writes a bookmark: an object of this kind with a version, which names the
// clusters that are missing, and says where initial events end.
func AppendBookmark(to []byte, kind, apiVersion, version string, missing []Missing, initialEnd bool) ([]byte, error) {
	annotations := map[string]string{}
	if len(missing) > 0 {
		annotations[AnnotationMissing] = MissingAnnotation(missing)
	}
	if initialEnd {
		annotations[metav1.InitialEventsAnnotationKey] = "true"
	}
	object := map[string]any{"kind": kind, "apiVersion": apiVersion, "metadata": map[string]any{
		"resourceVersion": version, "creationTimestamp": nil, "annotations": annotations,
	}}
	if kind == Table {
		object["columnDefinitions"], object["rows"] = nil, []any{}
	}
	text, err := json.Marshal(object)
	if err != nil {
		return to, err
	}
	return AppendEvent(to, Bookmark, func(to []byte) ([]byte, error) { return append(to, text...), nil })
}

// AppendError writes the event that ends a watch.
func AppendError(to []byte, status metav1.Status) ([]byte, error) {
	status.Kind, status.APIVersion, status.Status = "Status", "v1", metav1.StatusFailure
	text, err := json.Marshal(status)
	if err != nil {
		return to, err
	}
	return AppendEvent(to, Error, func(to []byte) ([]byte, error) { return append(to, text...), nil })
}

// StatusOf reads the object of an error event, or the body of an answer that is one.
func StatusOf(object []byte) metav1.Status {
	var status metav1.Status
	if json.Unmarshal(object, &status) != nil || status.Code == 0 {
		return metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: "an error that is no Status"}
	}
	return status
}

// Expired says of a status that a resource version is too old.
func Expired(s metav1.Status) bool {
	return s.Code == http.StatusGone || s.Reason == metav1.StatusReasonExpired || s.Reason == metav1.StatusReasonGone
}
