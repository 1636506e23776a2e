package federate

import (
	"fmt"
	"slices"
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
	// Unsteady is there since the object has become worse again soon after it was Healthy.
	Unsteady *Unsteady
}

func healthOf(h *workload.Health) *Health {
	if h == nil {
		return nil
	}
	return &Health{Health: *h}
}

// same compares all but the time of the last update.
func (h *Health) same(other *Health) bool {
	if h == nil || other == nil {
		return h == other
	}
	return h.Health == other.Health && h.Unsteady.same(other.Unsteady)
}

func (h *Health) toUnstructured() map[string]any {
	out := map[string]any{"status": string(h.Status)}
	setString(out, "message", h.Message)
	setString(out, "lastUpdateTime", h.LastUpdateTime)
	if h.Unsteady != nil {
		out["unsteady"] = h.Unsteady.toUnstructured()
	}
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
		Unsteady:       parseUnsteady(health["unsteady"]),
	}
}

// longestHealth is for what is said of one cluster; with many there is less for each.
const longestHealth = 320

// stampHealth sets the times of what is said of health, and what has not become, or not
// stayed, healthy for too long to Degraded: clusters are those of the next status, and have
// no times yet.
func stampHealth(in *FoldInput, clusters []ClusterStatus) {
	if !slices.ContainsFunc(clusters, func(c ClusterStatus) bool { return c.Health != nil }) {
		return // most objects are no workloads
	}
	now := in.Now.UTC().Format(time.RFC3339)
	said := 0
	for i := range clusters {
		if clusters[i].Health != nil && clusters[i].Health.Message != "" {
			said++
		}
	}
	most := min(longestHealth, max(leastMessage, mostHealthTogether/max(said, 1)))
	passages := passagesOf(in, most)
	for i := range clusters {
		h := clusters[i].Health
		if h == nil {
			continue
		}
		p := passages.of(clusters[i].Name)
		h.Message = errtext.Bounded(h.Message, most)
		p.judge(h)
		if h.LastUpdateTime = now; p.before != nil && p.before.Health == h.Health {
			h.LastUpdateTime = p.before.LastUpdateTime
		}
	}
}

// ProgressEnds is how long it takes until something of a status that Fold has returned is
// overdue, or no more; 0 if nothing can be.
func ProgressEnds(in *FoldInput, next Status) time.Duration {
	var passages *passages
	first := time.Duration(0)
	for i := range next.Clusters {
		h := next.Clusters[i].Health
		if h == nil || h.Status != workload.Progressing && h.Status != workload.Degraded {
			continue
		}
		if passages == nil {
			passages = passagesOf(in, longestHealth)
		}
		if left := passages.of(next.Clusters[i].Name).left(h); left > 0 && (first == 0 || left < first) {
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
