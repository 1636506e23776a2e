package federate

import (
	"fmt"
	"time"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/workload"
)

// Unsteady is since when an object has been healthy for moments only, and in which of its
// generations: another one begins anew. Without it, one whose containers crash again and
// again would be Healthy whenever they have just been started, and never late.
type Unsteady struct {
	// Since is RFC 3339 in UTC.
	Since      string
	Generation int64
}

func (u *Unsteady) toUnstructured() map[string]any {
	return map[string]any{"since": u.Since, "generation": u.Generation}
}

func parseUnsteady(raw any) *Unsteady {
	unsteady, ok := raw.(map[string]any)
	if !ok {
		return nil
	}
	return &Unsteady{Since: stringOf(unsteady, "since"), Generation: toInt64(unsteady["generation"])}
}

func (u *Unsteady) same(other *Unsteady) bool {
	if u == nil || other == nil {
		return u == other
	}
	return *u == *other
}

// passage is how an object fares in a cluster: what is seen now, what was said before, and
// the time that it has.
type passage struct {
	judged   *Outcome
	before   *Health
	deadline time.Duration
	now      time.Time
	// most is how long a message may be.
	most int
}

// passages are those of an object in all clusters.
type passages struct {
	in       *FoldInput
	most     int
	outcomes map[string]*Outcome
	before   map[string]*Health
}

func passagesOf(in *FoldInput, most int) *passages {
	p := &passages{in, most, make(map[string]*Outcome, len(in.Outcomes)), make(map[string]*Health, len(in.Previous.Clusters))}
	for i := range in.Outcomes {
		p.outcomes[in.Outcomes[i].Cluster] = &in.Outcomes[i]
	}
	for i := range in.Previous.Clusters {
		p.before[in.Previous.Clusters[i].Name] = in.Previous.Clusters[i].Health
	}
	return p
}

// of is the passage in a cluster of which there is an outcome with a health.
func (p *passages) of(cluster string) *passage {
	one := &passage{judged: p.outcomes[cluster], before: p.before[cluster], now: p.in.Now, most: p.most}
	one.deadline = one.judged.Deadline
	if p.in.ProgressDeadline != nil {
		one.deadline = *p.in.ProgressDeadline
	}
	return one
}

// longestSteady is more than most programs run that are started to crash again, and little
// enough to wait for.
const longestSteady = 2 * time.Minute

// steady is for how long an object must be healthy to be so for good.
func (p *passage) steady() time.Duration { return min(p.deadline/2, longestSteady) }

// since is how long ago a time was; a time that cannot be read is now.
func (p *passage) since(text string) time.Duration {
	then := timeOf(text)
	if then.IsZero() {
		return 0
	}
	return p.now.Sub(then)
}

// judge makes Degraded what has been Progressing with the same words for too long, and what
// has been healthy for moments only for as long.
func (p *passage) judge(h *Health) {
	if p.before == nil {
		return
	}
	h.Unsteady = p.unsteady(h)
	switch {
	case p.deadline <= 0:
	case h.Status == workload.Progressing && h.Unsteady != nil && p.since(h.Unsteady.Since) >= p.deadline:
		h.Health = p.late("healthy for moments only,", h.Message)
	case h.Status == workload.Healthy && h.Unsteady != nil && p.before.Status == workload.Degraded:
		h.Health = p.recovering()
	case h.Status == workload.Progressing:
		overdue := p.late("no progress", h.Message)
		// The first is one with nothing new since.
		if p.before.Health == overdue || p.before.Health == h.Health && p.since(p.before.LastUpdateTime) >= p.deadline {
			h.Health = overdue
		}
	}
}

func (p *passage) late(what, message string) workload.Health {
	return workload.Health{
		Status:  workload.Degraded,
		Message: errtext.Bounded(fmt.Sprintf("%s for %s: %s", what, p.deadline, message), p.most),
	}
}

// recovering is how an object fares that was Degraded for not having been healthy for long,
// and is healthy now: nobody knows whether for longer than before.
func (p *passage) recovering() workload.Health {
	return p.late("healthy for moments only,", fmt.Sprintf("it is now, and has to be for %s", p.steady()))
}

// unsteady is since when the object has been healthy for moments only; nil if it has not.
// Only one that is down becomes so: of many pods, one or another is always being replaced.
func (p *passage) unsteady(h *Health) *Unsteady {
	if h.Status == workload.Unknown {
		return p.before.Unsteady // what is not seen says nothing
	}
	u := p.before.Unsteady
	if u != nil && u.Generation != p.judged.ObjectGeneration {
		u = nil
	}
	wasHealthy := p.before.Status == workload.Healthy || u != nil && p.before.Health == p.recovering()
	down := h.Status == workload.Progressing && p.judged.Down
	switch {
	case p.deadline <= 0, !down && h.Status != workload.Healthy, wasHealthy && p.since(p.before.LastUpdateTime) >= p.steady():
		return nil
	case down && wasHealthy && u == nil:
		return &Unsteady{Since: p.now.UTC().Format(time.RFC3339), Generation: p.judged.ObjectGeneration}
	}
	return u
}

// left is how long it takes until something else is to be said, if nothing else happens; 0
// if nothing will be. h is what is said now.
func (p *passage) left(h *Health) time.Duration {
	said := p.since(h.LastUpdateTime)
	var left time.Duration
	switch {
	case p.deadline <= 0:
		return 0
	case h.Status == workload.Progressing:
		left = p.deadline - said
		if h.Unsteady != nil && p.judged.Down {
			left = min(left, p.deadline-p.since(h.Unsteady.Since))
		}
	case h.Status == workload.Degraded && p.judged.Health.Status == workload.Healthy:
		left = p.steady() - said
	default:
		return 0
	}
	return max(left, time.Second)
}
