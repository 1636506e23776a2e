package federate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/workload"
)

// Outcome is the state of the object in one cluster, as the engine saw it last.
type Outcome struct {
	Cluster string
	// Status is empty when all is well.
	Status PropagationStatus
	// Message says why Status is what it is. It must not hold anything that
	// changes from try to try, or every try becomes a status write.
	Message string
	// Version is what was last applied there.
	Version string
	// AlsoWrittenBy is what other managers have written, where that is the member's.
	AlsoWrittenBy string
	RemoteStatus  any
	// Ended says how an object that is done has ended; empty where nobody knows.
	Ended Ending
	// Health is how the object fares there; nil where nobody asks. Deadline and Down are as in
	// workload.Judgement, and ObjectGeneration is that of the object there.
	Health           *workload.Health
	Deadline         time.Duration
	Down             bool
	ObjectGeneration int64
	// Autoscaling is what autoscalers there mean for the object.
	Autoscaling Autoscaling
	// Updated says that a write happened since the last fold.
	Updated bool
}

// FoldInput is all that the next status depends on.
type FoldInput struct {
	Previous   Status
	Generation int64
	// Reason is set when the object as a whole could not be propagated.
	Reason  AggregateReason
	Message string
	// Outcomes has one entry for each cluster that has or should have the object.
	Outcomes []Outcome
	// Problems are faults of the spec that did not stop propagation; each names its field.
	Problems      []string
	ProblemReason string
	// Rollup adds up what the clusters say; nil for types that have nothing to add up.
	Rollup Rollup
	// ProgressDeadline takes the place of each outcome's deadline, if it is not nil.
	ProgressDeadline *time.Duration
	Now              time.Time
}

// defaultMessages explain reasons that come without a message.
var defaultMessages = map[AggregateReason]string{
	NamespaceNotFederated:  "the namespace is not federated: create a FederatedNamespace of the same name in it",
	ClusterRetrievalFailed: "the list of member clusters could not be read",
	ComputePlacementFailed: "spec.placement is not valid",
}

// Fold returns the next status. Without a change, but for times, it returns the
// previous one and false, and there is nothing to write.
func Fold(in FoldInput) (next Status, changed bool) {
	next = Status{ObservedGeneration: in.Generation, Clusters: foldClusters(in.Outcomes)}
	stampHealth(&in, next.Clusters)
	boundMessages(next.Clusters)
	boundForeign(next.Clusters)
	tooLarge := BoundCollected(next.Clusters)
	clustersChanged := !sameClusters(in.Previous.Clusters, next.Clusters)
	if !clustersChanged {
		next.Clusters = in.Previous.Clusters
	}
	now := in.Now.UTC().Format(time.RFC3339)
	propagation := propagationCondition(in, next.Clusters)
	propagation.stamp(in.Previous.Condition(ConditionPropagation), clustersChanged || anyUpdated(in.Outcomes), now)
	var accepted *Condition
	if len(in.Problems) > 0 {
		accepted = &Condition{Type: ConditionAccepted, Status: ConditionFalse, Reason: in.ProblemReason, Message: listMessage(in.Problems, longestProblem)}
		accepted.Reason = cmp.Or(accepted.Reason, "InvalidSpec")
		accepted.stamp(in.Previous.Condition(ConditionAccepted), false, now)
	}
	var collected *Condition
	if len(tooLarge) > 0 {
		collected = &Condition{Type: ConditionCollected, Status: ConditionFalse, Reason: "TooLarge", Message: listMessage(tooLarge, longestProblem)}
		collected.stamp(in.Previous.Condition(ConditionCollected), false, now)
	}
	ready, stalled := readiness(&in, next.Clusters)
	ready.stamp(in.Previous.Condition(ConditionReady), false, now)
	if stalled != nil {
		stalled.stamp(in.Previous.Condition(ConditionStalled), false, now)
	}
	next.Conditions = replaceConditions(in.Previous.Conditions, []ownCondition{
		{ConditionPropagation, &propagation}, {ConditionReady, ready}, {ConditionStalled, stalled}, {ConditionAccepted, accepted}, {ConditionCollected, collected},
	})

	rollupChanged := false
	if in.Rollup != nil {
		next.Rollup = in.Rollup(next.Clusters)
		rollupChanged = !jsonEqual(in.Previous.Rollup, next.Rollup)
	}
	changed = clustersChanged || rollupChanged || in.Previous.ObservedGeneration != in.Generation || !sameConditions(in.Previous.Conditions, next.Conditions)
	if !changed {
		return in.Previous, false
	}
	return next, true
}

// foldClusters returns the clusters sorted by name; of two outcomes of one
// cluster the later counts.
func foldClusters(outcomes []Outcome) []ClusterStatus {
	clusters := make([]ClusterStatus, 0, len(outcomes))
	for i := len(outcomes) - 1; i >= 0; i-- {
		o := &outcomes[i]
		clusters = append(clusters, ClusterStatus{
			Name: o.Cluster, Status: o.Status, Message: o.Message, Version: o.Version,
			AlsoWrittenBy: o.AlsoWrittenBy, RemoteStatus: o.RemoteStatus, Health: healthOf(o.Health), Autoscaling: o.Autoscaling.Bounded(),
		})
	}
	slices.SortStableFunc(clusters, compareClusters)
	return slices.CompactFunc(clusters, func(a, b ClusterStatus) bool { return a.Name == b.Name })
}

func compareClusters(a, b ClusterStatus) int { return cmp.Compare(a.Name, b.Name) }

// propagationCondition is the Propagation condition without its times.
func propagationCondition(in FoldInput, clusters []ClusterStatus) Condition {
	c := Condition{Type: ConditionPropagation, Status: ConditionTrue, Reason: string(in.Reason), Message: in.Message}
	failed := failures(clusters)
	wanted := len(clusters) - countNotSelected(clusters)
	if in.Reason == AggregateSuccess && len(failed) > 0 {
		c.Reason = string(CheckClusters)
	}
	if c.Reason == "" {
		return c
	}
	c.Status = ConditionFalse
	if c.Reason == string(CheckClusters) && len(failed) > 0 {
		text := fmt.Sprintf("%d of %d clusters: %s", len(failed), wanted, listMessage(failed, longestFailure))
		if in.Message != "" {
			text = in.Message + "; " + text
		}
		c.Message = text
	}
	c.Message = errtext.Bounded(cmp.Or(c.Message, defaultMessages[AggregateReason(c.Reason)]), longestCondition)
	return c
}

func countNotSelected(clusters []ClusterStatus) (n int) {
	for i := range clusters {
		if clusters[i].Status == NotSelected {
			n++
		}
	}
	return n
}

// failures says for every cluster in trouble what the trouble is.
func failures(clusters []ClusterStatus) []string {
	var failed []string
	for i := range clusters {
		if c := &clusters[i]; c.Status.Trouble() {
			text := c.Name + " " + string(c.Status)
			if c.Message != "" {
				text += " (" + c.Message + ")"
			}
			failed = append(failed, text)
		}
	}
	return failed
}

// A problem may have many fields to name. Of a failure the end is as telling as the
// beginning: that is where API servers give the reason.
const longestProblem, longestFailure, longestCondition = 2500, 240, 8 << 10

// listMessage joins the first few items, each shortened, and counts the rest, so
// that a condition stays readable with hundreds of clusters.
func listMessage(items []string, longest int) string {
	const most = 3
	shown := make([]string, 0, most)
	for _, item := range items[:min(len(items), most)] {
		shown = append(shown, errtext.Bounded(item, longest))
	}
	text := strings.Join(shown, "; ")
	if rest := len(items) - most; rest > 0 {
		text += fmt.Sprintf("; and %d more", rest)
	}
	return text
}

// stamp sets the times: the transition when status or reason changed, as in
// KubeFed, and the update also when the message or anything it stands for did.
func (c *Condition) stamp(previous *Condition, updated bool, now string) {
	c.LastTransitionTime, c.LastUpdateTime = now, now
	if previous == nil || previous.Status != c.Status || previous.Reason != c.Reason {
		return
	}
	c.LastTransitionTime = cmp.Or(previous.LastTransitionTime, now)
	if !updated && previous.Message == c.Message {
		c.LastUpdateTime = cmp.Or(previous.LastUpdateTime, now)
	}
}

// ownCondition is what one of our conditions says now; nil: it is not there.
type ownCondition struct {
	conditionType string
	condition     *Condition
}

// replaceConditions keeps the conditions of others, in their order, and sets or
// removes ours.
func replaceConditions(previous []Condition, ours []ownCondition) []Condition {
	out := make([]Condition, 0, len(previous)+len(ours))
	for i := range previous {
		at := slices.IndexFunc(ours, func(own ownCondition) bool { return own.conditionType == previous[i].Type })
		switch {
		case at < 0:
			out = append(out, previous[i])
		case ours[at].condition != nil:
			out = append(out, *ours[at].condition)
			ours[at].condition = nil // a second one of the type is dropped
		}
	}
	for _, own := range ours {
		if own.condition != nil {
			out = append(out, *own.condition)
		}
	}
	return out
}

func anyUpdated(outcomes []Outcome) bool {
	return slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Updated })
}

// sameClusters compares without regard to order: KubeFed wrote them in any.
func sameClusters(previous, next []ClusterStatus) bool {
	if len(previous) != len(next) {
		return false
	}
	if !slices.IsSortedFunc(previous, compareClusters) {
		previous = slices.Clone(previous)
		slices.SortStableFunc(previous, compareClusters)
	}
	return slices.EqualFunc(previous, next, func(a, b ClusterStatus) bool {
		return a.Name == b.Name && a.Status == b.Status && a.Message == b.Message && a.Version == b.Version &&
			a.AlsoWrittenBy == b.AlsoWrittenBy && a.Autoscaling == b.Autoscaling && a.Health.same(b.Health) && jsonEqual(a.RemoteStatus, b.RemoteStatus)
	})
}

// sameConditions compares all but times.
func sameConditions(previous, next []Condition) bool {
	return slices.EqualFunc(previous, next, func(a, b Condition) bool {
		return a.Type == b.Type && a.Status == b.Status && a.Reason == b.Reason && a.Message == b.Message
	})
}
