package replicas

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Status is status of a ReplicaSchedulingPreference, which KubeFed leaves empty.
type Status struct {
	// ObservedGeneration is the generation that the rest speaks of.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions has one condition, Scheduled.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Clusters are the clusters that the federated object is placed in, sorted by
	// name. Empty unless Scheduled is True.
	Clusters []ClusterStatus `json:"clusters,omitempty"`
}

// ClusterStatus is what one cluster was given.
type ClusterStatus struct {
	Name string `json:"name"`
	// Replicas is the value of the override.
	Replicas int64 `json:"replicas"`
	// Unschedulable is how many replicas the cluster's nodes have no room for.
	Unschedulable int64 `json:"unschedulable,omitempty"`
}

// ConditionScheduled is True when the federated object says what the preference
// asks for.
const ConditionScheduled = "Scheduled"

// Reasons of the condition Scheduled.
const (
	// ReasonScheduled: True, all replicas have a cluster.
	ReasonScheduled = "Scheduled"
	// ReasonPartlyScheduled: True, but maxima, capacities or a lack of weights keep some back.
	ReasonPartlyScheduled = "PartlyScheduled"
	// ReasonInvalidPreference: a field of the spec cannot be followed.
	ReasonInvalidPreference = "InvalidPreference"
	// ReasonUnknownTargetKind: spec.targetKind is no kind that has replicas.
	ReasonUnknownTargetKind = "UnknownTargetKind"
	// ReasonTypeNotEnabled: the type of spec.targetKind is not federated.
	ReasonTypeNotEnabled = "TypeNotEnabled"
	// ReasonFederatedObjectNotFound: there is no federated object of this name.
	ReasonFederatedObjectNotFound = "FederatedObjectNotFound"
	// ReasonInvalidFederatedObject: the federated object, or the FederatedNamespace
	// around it, cannot be read.
	ReasonInvalidFederatedObject = "InvalidFederatedObject"
	// ReasonNoClusters: no cluster may get replicas; the federated object is left as it is.
	ReasonNoClusters = "NoClusters"
	// ReasonClusterAwaited: a cluster that was imported has not joined; the federated object
	// is left as it is.
	ReasonClusterAwaited = "ClusterAwaited"
	// ReasonWriteFailed: the API server has refused the change to the federated object.
	ReasonWriteFailed = "WriteFailed"
)

// outcome is what came of working on a preference.
type outcome struct {
	// Reason is one of the reasons; empty when there is nothing to say yet.
	Reason, Message string
	Clusters        []ClusterStatus
	// Faults are what in the spec has no effect, or not the one it seems to have.
	Faults []fault
	// Wait is when to look again; 0: when something changes.
	Wait time.Duration
}

func (o outcome) scheduled() bool {
	return o.Reason == ReasonScheduled || o.Reason == ReasonPartlyScheduled
}

func failed(reason, format string, args ...any) outcome {
	return outcome{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// next returns the status that says o of p, and whether it differs from the present one.
func (o outcome) next(p *preference, now time.Time) (Status, bool) {
	next := Status{
		ObservedGeneration: p.meta.Generation,
		Conditions:         slices.Clone(p.status.Conditions),
		Clusters:           o.Clusters,
	}
	condition := metav1.Condition{
		Type: ConditionScheduled, Status: metav1.ConditionFalse, Reason: o.Reason, Message: errtext.Bounded(o.Message, maxMessage),
		ObservedGeneration: p.meta.Generation, LastTransitionTime: metav1.NewTime(now),
	}
	if o.scheduled() {
		condition.Status = metav1.ConditionTrue
	}
	changed := meta.SetStatusCondition(&next.Conditions, condition)
	if accepted := acceptedOf(o.Faults, condition); accepted != nil {
		changed = meta.SetStatusCondition(&next.Conditions, *accepted) || changed
	} else {
		changed = meta.RemoveStatusCondition(&next.Conditions, ConditionAccepted) || changed
	}
	return next, changed || p.status.ObservedGeneration != next.ObservedGeneration ||
		len(next.Clusters)+len(p.status.Clusters) > 0 && !reflect.DeepEqual(next.Clusters, p.status.Clusters)
}

// maxMessage is as long as a condition's message may be.
const maxMessage = 32768

// spread prints how many replicas each cluster gets, for events and logs.
func spread(scheduled map[string]int64) string {
	parts := make([]string, 0, len(scheduled))
	for _, name := range slices.Sorted(maps.Keys(scheduled)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, scheduled[name]))
	}
	return strings.Join(parts, ", ")
}
