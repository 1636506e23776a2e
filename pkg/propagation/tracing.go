package propagation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
)

// tracing makes spans of the way of a change: from when the host's watch tells of it to the
// write in each member and the status that says so. nil makes none, and costs nothing. Spans
// are made when what they tell of is over, so that nothing has to be carried through the queue.
type tracing struct{ tracer trace.Tracer }

// newTracing returns nil where nobody wants spans.
func newTracing(tracer trace.Tracer) *tracing {
	if tracer == nil {
		return nil
	}
	return &tracing{tracer}
}

// The attributes of spans.
const (
	typeAttribute       = "fedctl.type"
	namespaceAttribute  = "k8s.namespace.name"
	nameAttribute       = "fedctl.object"
	clusterAttribute    = "fedctl.cluster"
	generationAttribute = "fedctl.generation"
)

// tracedChange is the last change of a federated object that was traced, or is. It belongs to
// whoever holds the account's lock.
type tracedChange struct {
	generation int64
	deletion   bool
	// span is open until the status has told of all clusters. What comes later, because a
	// cluster lacks something, has the same trace; late is since when that is.
	span trace.Span
	of   trace.SpanContext
	late time.Time
}

// decided is what is traced of an object after a decision; begun says that the decision
// begins a change.
func (s *tracing) decided(last *tracedChange, begun bool, t *runningType, key types.NamespacedName, fed *federated, now time.Time) *tracedChange {
	if s == nil {
		return nil
	}
	next := &tracedChange{generation: fed.Generation, deletion: fed.Deleting}
	switch {
	case !begun && last != nil:
		return last
	case !begun:
		return next
	}
	if last != nil && last.span != nil {
		last.span.SetAttributes(attribute.Bool("fedctl.superseded", true))
		last.span.End(trace.WithTimestamp(now))
	}
	start := now // a policy or a cluster has changed
	if last == nil || last.generation != fed.Generation || last.deletion != fed.Deleting {
		start = fed.arrived
	}
	_, next.span = s.tracer.Start(context.Background(), "propagate", trace.WithNewRoot(), trace.WithTimestamp(start), trace.WithAttributes(
		attribute.String(typeAttribute, t.Name), attribute.String(namespaceAttribute, key.Namespace), attribute.String(nameAttribute, key.Name),
		attribute.Int64(generationAttribute, fed.Generation), attribute.Bool("fedctl.deletion", fed.Deleting)))
	next.of = next.span.SpanContext()
	return next
}

// deleting begins a deletion, once.
func (s *tracing) deleting(acc *account, t *runningType, key types.NamespacedName, fed *federated, now time.Time) {
	if s == nil {
		return
	}
	acc.mu.Lock()
	defer acc.mu.Unlock()
	if acc.change == nil || !acc.change.deletion {
		acc.change = s.decided(acc.change, true, t, key, fed, now)
	}
}

// step makes the span of something that belongs to a change, or stands for itself if that is none.
func (s *tracing) step(change trace.SpanContext, name string, start, end time.Time, err string, attributes ...attribute.KeyValue) {
	ctx := trace.ContextWithSpanContext(context.Background(), change)
	_, span := s.tracer.Start(ctx, name, trace.WithTimestamp(start), trace.WithAttributes(attributes...))
	if err != "" {
		span.SetStatus(codes.Error, err)
	}
	span.End(trace.WithTimestamp(end))
}

// deciding makes the span of a decision about a change that is under way.
func (s *tracing) deciding(change *tracedChange, queued []string, start, end time.Time) {
	if s == nil || change == nil || change.span == nil {
		return
	}
	s.step(change.of, "decide", start, end, "", attribute.StringSlice("fedctl.clusters", queued))
}

// underWay is the change that a write to a member belongs to which is begun now; none if what was
// changed last is in all clusters. The caller holds the account's lock.
func (s *tracing) underWay(acc *account) (change trace.SpanContext) {
	if s == nil || acc.change == nil {
		return change
	}
	return acc.change.of
}

// wrote makes the span of a write to a member. While it was on its way, the change that it belongs
// to may have been told of, and another one begun.
func (s *tracing) wrote(a *attempt, operation string, err error, start, end time.Time) {
	if s == nil {
		return
	}
	text := ""
	if err != nil {
		text = errtext.InMember(err, a.cluster())
	}
	s.step(a.change, operation, start, end, text, attribute.String(clusterAttribute, a.cluster()),
		attribute.String(typeAttribute, a.t.Name), attribute.String(namespaceAttribute, a.target.Namespace), attribute.String(nameAttribute, a.target.Name))
}

// wroteStatus makes the span of a status write of a change that is under way.
func (s *tracing) wroteStatus(acc *account, err error, start, end time.Time) {
	if s == nil {
		return
	}
	acc.mu.Lock()
	defer acc.mu.Unlock()
	if change := acc.change; change != nil && change.of.IsValid() {
		text := ""
		if err != nil {
			text = errtext.Stable(err)
		}
		s.step(change.of, "write status", start, end, text)
	}
}

// told ends the span of a change whose status tells of all clusters, or why it is for none.
func (s *tracing) told(acc *account, where placed, now time.Time) {
	if s == nil {
		return
	}
	acc.mu.Lock()
	defer acc.mu.Unlock()
	if acc.change == nil {
		return
	}
	lacks := missing(acc.delivery.behind)
	if lacks == "" && where.reason != federate.AggregateSuccess {
		lacks = string(where.reason) + ": " + where.message
	}
	s.ends(acc.change, acc.delivery.since.IsZero() && !acc.change.deletion, lacks, now)
}

// ends ends the span of a change: it is in all clusters, or lacks says why not.
func (s *tracing) ends(change *tracedChange, delivered bool, lacks string, now time.Time) {
	if !change.of.IsValid() || !delivered && lacks == "" {
		return
	}
	switch {
	case change.span != nil:
		if !delivered {
			change.late = now
			change.span.SetStatus(codes.Error, lacks)
		}
		change.span.SetAttributes(attribute.Bool("fedctl.delivered", delivered))
		change.span.End(trace.WithTimestamp(now))
		change.span = nil
	case delivered:
		s.step(change.of, "catch up", change.late, now, "")
	}
	if delivered {
		change.of = trace.SpanContext{} // what is repaired later is no part of it
	}
}

// missing says which clusters lack a change, and why.
func missing(behind map[string]lacking) string {
	const most = 10
	var list []string
	for _, cluster := range slices.Sorted(maps.Keys(behind)) {
		if len(list) == most {
			list = append(list, fmt.Sprintf("and %d more", len(behind)-most))
			break
		}
		list = append(list, cluster+": "+string(behind[cluster].status))
	}
	return strings.Join(list, ", ")
}

// gone ends the span of a deletion: no member holds the object any more.
func (s *tracing) gone(acc *account, now time.Time) {
	if s == nil {
		return
	}
	acc.mu.Lock()
	defer acc.mu.Unlock()
	if change := acc.change; change != nil && change.deletion {
		s.ends(change, true, "", now)
	}
}

// dropped ends the span of a change of which nothing is told any more: the object has gone, or its
// type is switched off. acc may be nil.
func (s *tracing) dropped(acc *account, now time.Time) {
	if s == nil || acc == nil {
		return
	}
	acc.mu.Lock()
	defer acc.mu.Unlock()
	if change := acc.change; change != nil && change.span != nil {
		s.ends(change, false, "nothing is told of it any more", now)
	}
}
