package federate

import (
	"fmt"
	"time"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/workload"
)

// ProgressDeadlineAnnotation says on a federated object how long its objects may be
// Progressing in a cluster without a new word of it before they are Degraded: a duration,
// such as 20m, or 0 for as long as it takes. Without it, the kind's own counts.
const ProgressDeadlineAnnotation = "fedctl.io/progress-deadline"

// HealthCollectionAnnotation says on a FederatedTypeConfig whether the health of the
// members' objects is collected: Enabled or Disabled. Without it, it is for kinds of
// workloads, and where the status is collected.
const HealthCollectionAnnotation = "fedctl.io/health-collection"

// CollectsHealth reads that annotation. A value that nobody knows is a fault, and says nothing.
func CollectsHealth(value string, otherwise bool) (collects bool, fault string) {
	switch value {
	case "":
		return otherwise, ""
	case "Enabled":
		return true, ""
	case "Disabled":
		return false, ""
	}
	return otherwise, fmt.Sprintf("metadata.annotations[%s]: must be Enabled or Disabled, is %q: it has no effect",
		HealthCollectionAnnotation, errtext.Bounded(value, longestField))
}

// Health is how an object fares in a cluster, and since when it is said to.
type Health struct {
	workload.Health

	// LastUpdateTime is when status or message last changed, RFC 3339 in UTC.
	LastUpdateTime string
}

func healthOf(h *workload.Health) *Health {
	if h == nil {
		return nil
	}
	return &Health{Health: *h}
}

// same compares all but the time.
func (h *Health) same(other *Health) bool {
	if h == nil || other == nil {
		return h == other
	}
	return h.Health == other.Health
}

func (h *Health) toUnstructured() map[string]any {
	out := map[string]any{"status": string(h.Status)}
	setString(out, "message", h.Message)
	setString(out, "lastUpdateTime", h.LastUpdateTime)
	return out
}

func parseHealth(raw any) *Health {
	health, ok := raw.(map[string]any)
	if !ok {
		return nil
	}
	return &Health{
		Health:         workload.Health{Status: workload.HealthStatus(stringOf(health, "status")), Message: stringOf(health, "message")},
		LastUpdateTime: stringOf(health, "lastUpdateTime"),
	}
}

// longestHealth is for what is said of one cluster; with many there is less for each.
const longestHealth = 320

// stampHealth sets the times of what is said of health, and what has progressed for too
// long to Degraded: clusters are those of the next status, and have no times yet.
func stampHealth(in *FoldInput, clusters []ClusterStatus) {
	now := in.Now.UTC().Format(time.RFC3339)
	said := 0
	for i := range clusters {
		if clusters[i].Health != nil && clusters[i].Health.Message != "" {
			said++
		}
	}
	most := min(longestHealth, max(leastMessage, mostHealthTogether/max(said, 1)))
	before := make(map[string]*Health, len(in.Previous.Clusters))
	for i := range in.Previous.Clusters {
		before[in.Previous.Clusters[i].Name] = in.Previous.Clusters[i].Health
	}
	for i := range clusters {
		h := clusters[i].Health
		if h == nil {
			continue
		}
		h.Message = errtext.Bounded(h.Message, most)
		h.judgeProgress(before[clusters[i].Name], in, most)
		if h.LastUpdateTime = now; h.same(before[clusters[i].Name]) {
			h.LastUpdateTime = before[clusters[i].Name].LastUpdateTime
		}
	}
}

// judgeProgress makes Degraded what has been Progressing with the same words for too long.
func (h *Health) judgeProgress(before *Health, in *FoldInput, most int) {
	if h.Status != workload.Progressing || in.ProgressDeadline <= 0 || before == nil {
		return
	}
	overdue := workload.Health{
		Status:  workload.Degraded,
		Message: errtext.Bounded(fmt.Sprintf("no progress for %s: %s", in.ProgressDeadline, h.Message), most),
	}
	switch since := timeOf(before.LastUpdateTime); {
	case before.Health == overdue:
		h.Health = overdue // and nothing new since
	case before.Health == h.Health && !since.IsZero() && in.Now.Sub(since) >= in.ProgressDeadline:
		h.Health = overdue
	}
}

// ProgressEnds is how long it takes until something of a status is overdue; 0 if nothing can be.
func (s Status) ProgressEnds(deadline time.Duration, now time.Time) time.Duration {
	first := time.Duration(0)
	for i := range s.Clusters {
		h := s.Clusters[i].Health
		if deadline <= 0 || h == nil || h.Status != workload.Progressing {
			continue
		}
		left := max(deadline-now.Sub(timeOf(h.LastUpdateTime)), time.Second)
		if first == 0 || left < first {
			first = left
		}
	}
	return first
}

// ProgressDeadlineOf reads the annotation. A value that nobody understands is a fault, and
// says nothing.
func ProgressDeadlineOf(value string, otherwise time.Duration) (deadline time.Duration, fault string) {
	if value == "" {
		return otherwise, ""
	}
	deadline, err := time.ParseDuration(value)
	if err != nil || deadline < 0 {
		return otherwise, fmt.Sprintf("metadata.annotations[%s]: must be a duration such as 20m, or 0, is %q: it has no effect",
			ProgressDeadlineAnnotation, errtext.Bounded(value, longestField))
	}
	return deadline, ""
}
