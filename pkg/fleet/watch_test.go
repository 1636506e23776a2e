package fleet

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A watch that fails is tried again for ever: the log hears of it when that
// changes, not with every try.
func TestWatchesTellChangesOnly(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "widgets"}, "", errors.New("no right"))
	refused := func(port int) error { // the port differs from try to try
		return &net.OpError{Op: "dial", Source: &net.TCPAddr{Port: port}, Err: syscall.ECONNREFUSED}
	}
	const told, again = "Could not follow objects; trying again", "Objects are followed again"
	type step func(w *Watch[value])
	fails := func(err error) step {
		return func(w *Watch[value]) { w.failed(context.Background(), Source{}, err) }
	}
	ended := func(w *Watch[value]) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.failed(ctx, Source{}, errors.New("ended"))
	}
	lists := func(w *Watch[value]) { w.tell(w.listed()) }
	watches := func(w *Watch[value]) { w.tell(w.accepted(false)) }
	for name, test := range map[string]struct {
		steps []step
		want  []string
	}{
		"works from the beginning":        {[]step{lists, watches, lists, watches}, nil},
		"fails again and again":           {[]step{fails(forbidden), fails(forbidden), fails(forbidden)}, []string{told}},
		"fails for another reason":        {[]step{fails(forbidden), fails(refused(1)), fails(refused(2)), fails(forbidden)}, []string{told, told, told}},
		"works in the end":                {[]step{fails(forbidden), lists, watches, lists, watches}, []string{told, again}},
		"works in the end, list by watch": {[]step{fails(forbidden), watches, lists, watches}, []string{told, again}},
		"fails once more":                 {[]step{fails(forbidden), lists, watches, fails(forbidden), fails(forbidden)}, []string{told, again, told}},
		"lists, and may not watch":        {[]step{lists, fails(forbidden), lists, fails(forbidden), lists, fails(forbidden)}, []string{told}},
		"has been ended":                  {[]step{lists, watches, ended}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			w := NewWatch(t.Context(), NewTable(Rules[value]{Read: readValue}))
			w.log = messages(&got)
			for _, step := range test.steps {
				step(w)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("told %q, want %q", got, test.want)
			}
		})
	}
}

// messages is a log that keeps its messages.
func messages(got *[]string) logr.Logger {
	return funcr.New(func(_, _ string) {}, funcr.Options{RenderBuiltinsHook: func(values []any) []any {
		for i := 0; i+1 < len(values); i += 2 {
			if text, ok := values[i+1].(string); ok && values[i] == "msg" {
				*got = append(*got, text)
			}
		}
		return values
	}})
}

func TestResourceThatIsNotServed(t *testing.T) {
	notFound := apierrors.NewNotFound(schema.GroupResource{Resource: "widgets"}, "")
	unserved := errors.New("the cluster does not serve widgets")
	absence := Absence{Why: unserved, Unserved: true}
	source := Source{WhyNotFound: func(context.Context, error) Absence { return absence }}
	w := NewWatch(t.Context(), NewTable(versioned(Rules[value]{})))
	must(t, w.Replace([]any{written("1")}, "1"))

	w.failed(t.Context(), source, notFound)
	if !w.Unserved() || !errors.Is(w.Problem(), unserved) || w.Get(b) == nil || !w.Synced() {
		t.Errorf("unserved %t because of %v; it holds %v", w.Unserved(), w.Problem(), w.Get(b))
	}
	absence.Undefined = true
	if w.failed(t.Context(), source, notFound); w.Get(b) != nil || !w.Synced() {
		t.Errorf("undefined, and it holds %v", w.Get(b))
	}
	w.failed(t.Context(), source, errors.New("no answer"))
	if !w.Unserved() {
		t.Error("an outage has told that it is served")
	}
	absence = Absence{Why: notFound}
	if w.failed(t.Context(), source, notFound); w.Unserved() {
		t.Error("it is served, and only its objects were not found")
	}
	must(t, w.Replace([]any{written("1")}, "1"))
	if w.tell(w.accepted(true)); w.Problem() != nil || w.Get(b) == nil {
		t.Error("it is served, and holds nothing")
	}
}

// A watch that fails for a moment is no Problem; one that goes on failing is, until
// objects are listed and followed again.
func TestProblemOfAWatch(t *testing.T) {
	refused, closed := errors.New("connection refused"), errors.New("closed")
	told := make(chan error)
	w := NewWatch(t.Context(), NewTable(Rules[value]{Read: readValue}))
	w.onTrouble = func() { told <- w.Problem() }
	w.patience = time.Hour
	if w.failed(t.Context(), Source{}, refused); !errors.Is(w.Problem(), refused) {
		t.Errorf("nothing is listed, and the problem is %v", w.Problem())
	}
	must(t, w.Replace(nil, "1"))
	go w.tell(w.accepted(true)) // who has asked is told
	if problem := <-told; problem != nil {
		t.Errorf("objects are followed, and told of %v", problem)
	}
	if w.failed(t.Context(), Source{}, refused); w.Problem() != nil {
		t.Errorf("a problem at once: %v", w.Problem())
	}
	w.tell(w.accepted(true)) // without a list
	w.patience = time.Millisecond
	go w.failed(t.Context(), Source{}, refused)
	if problem := <-told; !errors.Is(problem, refused) {
		t.Errorf("told of %v", problem)
	}
	go w.failed(t.Context(), Source{}, closed)
	if problem := <-told; !errors.Is(problem, closed) {
		t.Errorf("told of %v", problem)
	}
	must(t, w.Replace(nil, "1"))
	if !errors.Is(w.Problem(), closed) {
		t.Errorf("objects are listed, and not followed: %v", w.Problem())
	}
	go w.tell(w.accepted(true))
	if problem := <-told; problem != nil {
		t.Errorf("objects are followed, and told of %v", problem)
	}
}
