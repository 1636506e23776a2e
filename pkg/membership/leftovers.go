package membership

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// ConditionLeftovers is ours: True while a cluster holds objects that were there when it
// joined, and that no placement selects; absent otherwise.
const ConditionLeftovers fedcommon.ClusterConditionType = "Leftovers"

// ReasonNotSelected is its reason.
const ReasonNotSelected = "NotSelected"

// MostExamples is how many objects the condition names.
const MostExamples = 3

// Leftovers are the objects that a cluster held when it joined, and that no placement selects.
type Leftovers struct {
	Count int
	// Examples name the first of them, MostExamples at most.
	Examples []string
	// Until is when the time of the first is over; zero for never.
	Until time.Time
}

// leftoversKnown is how long after its start a controller may not have found all again
// that is left over.
const leftoversKnown = time.Minute

// ReportLeftovers has the KubeFedClusters tell what is left over in each cluster.
func (p *Provider) ReportLeftovers(in func(cluster string) Leftovers) { p.leftovers.Store(&in) }

// leftoversIn is what is left over in a cluster; unknown: what was said of it still stands.
func (p *Provider) leftoversIn(cluster string) (found Leftovers, known bool) {
	in := p.leftovers.Load()
	if in == nil {
		return Leftovers{}, false
	}
	found = (*in)(cluster)
	return found, found.Count > 0 || time.Since(p.created) > leftoversKnown
}

// withLeftovers adds the condition that tells what is left over.
func withLeftovers(conditions, previous []fedcorev1beta1.ClusterCondition, cluster string, found Leftovers, known bool, now time.Time) []fedcorev1beta1.ClusterCondition {
	var before *fedcorev1beta1.ClusterCondition
	for i := range previous {
		if previous[i].Type == ConditionLeftovers {
			before = &previous[i]
		}
	}
	for _, c := range conditions {
		if c.Type == ConditionLeftovers {
			return conditions // of a cluster that has not been probed nothing new is said
		}
	}
	switch {
	case !known && before != nil:
		return append(conditions, *before)
	case found.Count == 0:
		return conditions
	}
	at := metav1.NewTime(now.Truncate(time.Second))
	reason, message := ReasonNotSelected, errtext.Bounded(found.message(cluster), errtext.Cluster)
	c := fedcorev1beta1.ClusterCondition{
		Type: ConditionLeftovers, Status: corev1.ConditionTrue, Reason: &reason, Message: &message, LastProbeTime: at, LastTransitionTime: &at,
	}
	if before != nil && before.LastTransitionTime != nil {
		c.LastTransitionTime = before.LastTransitionTime
	}
	return append(conditions, c)
}

func (l Leftovers) message(cluster string) string {
	text := fmt.Sprintf("%d objects that were there when the cluster joined are selected by no placement: %s", l.Count, strings.Join(l.Examples, ", "))
	if l.Count == 1 {
		text = "1 object that was there when the cluster joined is selected by no placement: " + strings.Join(l.Examples, ", ")
	}
	if more := l.Count - len(l.Examples); more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	if !l.Until.IsZero() {
		text += "; kept until " + l.Until.UTC().Format(time.RFC3339)
		if l.Count > 1 {
			text += " at least"
		}
	}
	return text + "; see: fedctl prune " + cluster + " --dry-run"
}

// withoutLeftovers returns the conditions that KubeFed knows.
func withoutLeftovers(conditions []fedcorev1beta1.ClusterCondition) (rest []fedcorev1beta1.ClusterCondition, had bool) {
	rest = slices.DeleteFunc(slices.Clone(conditions), func(c fedcorev1beta1.ClusterCondition) bool { return c.Type == ConditionLeftovers })
	return rest, len(rest) < len(conditions)
}
