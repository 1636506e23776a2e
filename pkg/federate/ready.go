package federate

import (
	"cmp"
	"fmt"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/workload"
)

// ReadyReason is the reason of the Ready condition.
type ReadyReason string

// The reasons, beside those of an object that cannot be propagated as a whole, which are
// the Propagation condition's.
const (
	// ReadyHealthy and ReadyPropagated are of objects that work everywhere; the second where
	// nothing but their being there can be known.
	ReadyHealthy    ReadyReason = "Healthy"
	ReadyPropagated ReadyReason = "Propagated"
	// ReadySuspended is of objects that work, but for clusters where they are to wait.
	ReadySuspended ReadyReason = "Suspended"

	ReadyDegraded      ReadyReason = "Degraded"
	ReadyNotPropagated ReadyReason = "NotPropagated"
	ReadyProgressing   ReadyReason = "Progressing"
	// ReadyNoClusters is of objects that no cluster is to have, or that are leaving the last.
	ReadyNoClusters ReadyReason = "NoClusters"

	// ReadyClusterNotReady and ReadyHealthUnknown are of objects of which nobody can tell.
	ReadyClusterNotReady ReadyReason = "ClusterNotReady"
	ReadyHealthUnknown   ReadyReason = "HealthUnknown"
)

// leaving says whether a cluster is not to have the object.
func (s PropagationStatus) leaving() bool {
	switch s { //nolint:exhaustive // all others are of clusters that are to have it
	case NotSelected, WaitingForRemoval, DeletionFailed, DeletionTimedOut, LabelRemovalFailed, LabelRemovalTimedOut:
		return true
	}
	return false
}

// unseen says whether nobody can tell what the cluster holds.
func (s PropagationStatus) unseen() bool {
	switch s { //nolint:exhaustive // all others are of clusters that have answered
	case ClusterNotReady, CachedRetrievalFailed, RetrievalFailed, ClientRetrievalFailed:
		return true
	}
	return false
}

// readiness is what the object is in one cluster, in the words of the Ready condition;
// Healthy, Propagated and Suspended are well.
func (c *ClusterStatus) readiness() ReadyReason {
	health := workload.HealthStatus("")
	if c.Health != nil {
		health = c.Health.Status
	}
	switch {
	case c.Status.unseen():
		return ReadyClusterNotReady
	case health == workload.Degraded:
		return ReadyDegraded
	case c.Status.Trouble():
		return ReadyNotPropagated
	case c.Status == Completed && health == "":
		return ReadyHealthy
	}
	switch health {
	case "":
		return ReadyPropagated
	case workload.Healthy:
		return ReadyHealthy
	case workload.Suspended:
		return ReadySuspended
	case workload.Progressing:
		return ReadyProgressing
	case workload.Degraded, workload.Unknown:
	}
	return ReadyHealthUnknown
}

// gravest are the reasons in the order in which one is told before another: what is known
// to be wrong, what is not there yet, what nobody knows, and what is well.
var gravest = []struct {
	reason ReadyReason
	status string
}{
	{ReadyDegraded, ConditionFalse}, {ReadyNotPropagated, ConditionFalse}, {ReadyProgressing, ConditionFalse},
	{ReadyClusterNotReady, ConditionUnknown}, {ReadyHealthUnknown, ConditionUnknown},
	{ReadySuspended, ConditionTrue}, {ReadyHealthy, ConditionTrue}, {ReadyPropagated, ConditionTrue},
}

// readiness returns the Ready condition without its times, and the Stalled condition, nil
// unless the object is Degraded in a cluster. Propagation says that the clusters have what
// they should; Ready, that it works there.
func readiness(in *FoldInput, clusters []ClusterStatus) (ready, stalled *Condition) {
	ready = &Condition{Type: ConditionReady, Status: ConditionFalse}
	if in.Reason != AggregateSuccess {
		ready.Reason = string(in.Reason)
		ready.Message = errtext.Bounded(cmp.Or(in.Message, defaultMessages[in.Reason]), longestCondition)
		return ready, nil
	}
	found := map[ReadyReason][]string{}
	wanted := 0
	for i := range clusters {
		if c := &clusters[i]; !c.Status.leaving() {
			wanted++
			reason := c.readiness()
			found[reason] = append(found[reason], c.readinessText(reason))
		}
	}
	if wanted == 0 {
		ready.Reason, ready.Message = string(ReadyNoClusters), "no cluster is to have the object"
		return ready, nil
	}
	for _, g := range gravest {
		of := found[g.reason]
		if len(of) == 0 {
			continue
		}
		ready.Status, ready.Reason = g.status, string(g.reason)
		if g.reason != ReadyHealthy && g.reason != ReadyPropagated {
			ready.Message = fmt.Sprintf("%d of %d clusters: %s", len(of), wanted, listMessage(of, longestFailure))
		}
		break
	}
	if ready.Reason == string(ReadyDegraded) {
		stalled = &Condition{Type: ConditionStalled, Status: ConditionTrue, Reason: ready.Reason, Message: ready.Message}
	}
	return ready, stalled
}

// readinessText names the cluster, and says why it is as it is.
func (c *ClusterStatus) readinessText(reason ReadyReason) string {
	word, message := string(reason), ""
	if c.Health != nil {
		message = c.Health.Message
	}
	if reason == ReadyNotPropagated || reason == ReadyClusterNotReady {
		word, message = string(c.Status), c.Message
	}
	if message == "" {
		return c.Name + " " + word
	}
	return c.Name + " " + word + " (" + message + ")"
}
