package propagation

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// messages is a log that keeps its messages.
type messages struct {
	logr.LogSink

	got *[]string
}

func (m *messages) Init(logr.RuntimeInfo)                {}
func (m *messages) Enabled(int) bool                     { return true }
func (m *messages) Info(_ int, message string, _ ...any) { *m.got = append(*m.got, message) }

// A watch that fails is tried again for ever: the log hears of it when that
// changes, not with every try.
func TestWatchesTellChangesOnly(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "widgets"}, "", errors.New("no right"))
	refused := func(port int) error { // the port differs from try to try
		return &net.OpError{Op: "dial", Source: &net.TCPAddr{Port: port}, Err: syscall.ECONNREFUSED}
	}
	const told, again = "Could not follow the objects of a member cluster; trying again", "The objects of a member cluster are followed again"
	type step func(w *watchSet, running *memberWatch)
	fails := func(err error) step {
		return func(w *watchSet, running *memberWatch) {
			w.failed(context.Background(), nil, "member-1", typeconfig.Type{Name: "widgets"}, running, err)
		}
	}
	lists := func(w *watchSet, running *memberWatch) { w.tell("member-1", typeconfig.Type{}, running.listed()) }
	watches := func(w *watchSet, running *memberWatch) { w.tell("member-1", typeconfig.Type{}, running.accepted()) }
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
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			log := logr.New(&messages{got: &got})
			w := newWatchSet(log, "", nil, nil)
			running := &memberWatch{}
			for _, step := range test.steps {
				step(w, running)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("told %q, want %q", got, test.want)
			}
		})
	}
}
