package propagation

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// traced is a federated object of which changes are traced, and the spans that have ended.
type traced struct {
	*tracing
	t        *runningType
	key      types.NamespacedName
	acc      *account
	recorder *tracetest.SpanRecorder
	where    placed
}

func newTraced() *traced {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	return &traced{
		tracing: newTracing(provider.Tracer("test")), t: &runningType{Type: typeconfig.Type{Name: "configmaps"}},
		key: types.NamespacedName{Namespace: "shop", Name: "settings"}, acc: &account{}, recorder: recorder,
	}
}

func second(n int64) time.Time { return time.Unix(n, 0) }

// decide decides about a generation that has arrived at a second.
func (s *traced) decide(generation, arrived, now int64, begun, deletion bool) {
	fed := &federated{Object: &federate.Object{}, arrived: second(arrived)}
	fed.Generation, fed.Deleting = generation, deletion
	if begun && !deletion {
		s.acc.delivery.since = second(now)
	}
	s.acc.change = s.decided(s.acc.change, begun, s.t, s.key, fed, second(now))
	s.deciding(s.acc.change, []string{"paris"}, second(now), second(now))
}

func (s *traced) write(operation string, err error, start, end int64) {
	s.begin()(operation, err, start, end)
}

// begin begins a write, and returns what ends it.
func (s *traced) begin() func(operation string, err error, start, end int64) {
	a := &attempt{item: Item{ClusterName: "paris"}, t: s.t, target: s.key, acc: s.acc, change: s.underWay(s.acc)}
	return func(operation string, err error, start, end int64) {
		s.wrote(a, operation, err, second(start), second(end))
	}
}

func (s *traced) tell(delivered bool, now int64, behind ...string) {
	s.wroteStatus(s.acc, nil, second(now), second(now))
	s.acc.delivery.behind = map[string]lacking{}
	for _, cluster := range behind {
		s.acc.delivery.behind[cluster] = lacking{status: federate.ClusterNotReady}
	}
	if delivered {
		s.acc.delivery.since = time.Time{}
	}
	s.told(s.acc, s.where, second(now))
}

// spans are those that have ended since the last call, as "name start-end", in the order of
// their names; all have to be of one trace, and those that are not its root below that.
func (s *traced) spans(t *testing.T) string {
	t.Helper()
	ended := s.recorder.Ended()
	s.recorder.Reset()
	var told []string
	for _, span := range ended {
		if span.SpanContext().TraceID() != ended[0].SpanContext().TraceID() {
			t.Errorf("%s is of another trace", span.Name())
		}
		text := span.Name() + " " + span.StartTime().Format("5") + "-" + span.EndTime().Format("5")
		if span.Parent().IsValid() {
			text = "  " + text
		}
		if span.Status().Code == codes.Error {
			text += ": " + span.Status().Description
		}
		told = append(told, text)
	}
	slices.Sort(told)
	return strings.Join(told, "\n")
}

func (s *traced) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := s.spans(t); got != strings.Join(want, "\n") {
		t.Errorf("spans:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestSpansOfChanges(t *testing.T) {
	s := newTraced()
	s.decide(1, 10, 12, true, false)
	s.decide(1, 10, 13, false, false)
	s.write("apply", nil, 14, 15)
	s.tell(true, 16)
	s.expect(t, "  apply 14-15", "  decide 12-12", "  decide 13-13", "  write status 16-16", "propagate 10-16")

	s.write("apply", nil, 20, 21) // a repair is no part of the change before it
	s.tell(true, 22)
	s.expect(t, "apply 20-21")

	s.decide(1, 10, 30, true, false) // a policy has changed
	s.expect(t, "  decide 30-30")
	s.decide(2, 31, 32, true, false) // and then the object
	if got := s.recorder.Ended()[0]; got.Name() != "propagate" || got.StartTime() != second(30) || got.EndTime() != second(32) {
		t.Errorf("what has been superseded: %v", got)
	}
	s.recorder.Reset()
	s.write("apply", errors.New("refused"), 33, 34)
	s.tell(false, 35) // a cluster is still being asked
	s.tell(false, 36, "paris")
	s.write("apply", nil, 40, 41)
	s.tell(true, 42)
	s.expect(t, "  apply 33-34: refused", "  apply 40-41", "  catch up 36-42",
		"  write status 35-35", "  write status 36-36", "  write status 42-42", "propagate 31-36: paris: ClusterNotReady")

	s.decide(3, 50, 51, true, true)
	s.write("delete", nil, 52, 53)
	s.tell(true, 54) // what was wanted before was delivered, not the deletion
	s.gone(s.acc, second(55))
	s.expect(t, "  decide 51-51", "  delete 52-53", "  write status 54-54", "propagate 50-55")
}

// What was as it should be when the controller started is no change, and no later one
// begins with it.
func TestNoSpanWithoutAChange(t *testing.T) {
	s := newTraced()
	s.decide(1, 10, 11, false, false)
	s.tell(true, 12)
	s.expect(t)
	s.decide(1, 10, 40, true, false)
	s.tell(true, 41)
	s.expect(t, "  decide 40-40", "  write status 41-41", "propagate 40-41")
}

// A write belongs to the change that it was begun for, whatever has become of that meanwhile.
func TestSpanOfAWriteThatTakesLong(t *testing.T) {
	s := newTraced()
	s.decide(1, 10, 11, true, false)
	finish := s.begin()
	s.tell(false, 12, "paris")
	s.decide(2, 13, 14, true, false)
	finish("apply", errors.New("late"), 11, 15)
	var first, late, second sdktrace.ReadOnlySpan
	for _, span := range s.recorder.Ended() {
		switch {
		case span.Name() == "propagate":
			first = span
		case span.Name() == "apply":
			late = span
		case span.Name() == "decide":
			second = span
		}
	}
	if late.Parent().SpanID() != first.SpanContext().SpanID() || second.Parent().SpanID() == late.Parent().SpanID() {
		t.Errorf("the write is below %v", late.Parent().SpanID())
	}
	s.recorder.Reset()

	finish = s.begin()
	s.tell(true, 16) // by another write
	s.recorder.Reset()
	if finish("apply", nil, 15, 17); !s.recorder.Ended()[0].Parent().IsValid() {
		t.Error("the write is below none")
	}
}

// A change that is for no cluster has been told of as well, and so has one of an object that has
// gone by itself.
func TestSpanOfWhatIsNotPropagated(t *testing.T) {
	s := newTraced()
	s.decide(1, 10, 11, true, false)
	s.where = placed{reason: federate.NamespaceNotFederated, message: "it is not"}
	s.tell(false, 12)
	s.tell(false, 13)
	s.expect(t, "  decide 11-11", "  write status 12-12", "  write status 13-13", "propagate 10-12: NamespaceNotFederated: it is not")
	s.where = placed{}
	s.tell(true, 14)
	s.expect(t, "  catch up 12-14", "  write status 14-14")

	s.decide(2, 20, 21, true, false)
	s.dropped(s.acc, second(22))
	s.dropped(nil, second(23))
	s.expect(t, "  decide 21-21", "propagate 20-22: nothing is told of it any more")
}

func TestTracingThatIsOffCostsNothing(t *testing.T) {
	var off *tracing
	s := newTraced()
	fed := &federated{Object: &federate.Object{}}
	a := &attempt{t: s.t, acc: s.acc}
	refused := errors.New("refused")
	if allocations := testing.AllocsPerRun(100, func() {
		s.acc.change = off.decided(s.acc.change, true, s.t, s.key, fed, fed.arrived)
		off.deciding(s.acc.change, nil, fed.arrived, fed.arrived)
		off.wrote(a, "apply", refused, fed.arrived, fed.arrived)
		off.wroteStatus(s.acc, refused, fed.arrived, fed.arrived)
		off.deleting(s.acc, s.t, s.key, fed, fed.arrived)
		off.told(s.acc, placed{}, fed.arrived)
		off.dropped(s.acc, fed.arrived)
		a.change = off.underWay(s.acc)
		off.gone(s.acc, fed.arrived)
	}); allocations != 0 || s.acc.change != nil || newTracing(nil) != nil {
		t.Errorf("%v allocations", allocations)
	}
}
