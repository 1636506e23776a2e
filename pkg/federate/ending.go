package federate

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Ending says how an object that ends by itself has ended; empty of one that has not.
type Ending string

// How an object has ended.
const (
	Succeeded Ending = "Succeeded"
	Failed    Ending = "Failed"
)

// ConsumedAnnotation says on a federated object what it means that an object which was made
// in a cluster is not there any more. "true": something there has consumed it, so that it is
// done. "false": it was lost, whatever has become of it before, and is made anew. Without it,
// objects of kinds that end by themselves are done when they have ended.
const ConsumedAnnotation = "fedctl.io/consumed"

// endings are the kinds whose objects end by themselves: what they are for has been done
// then, and to make them again would do it again. A CronJob does not end, and what it makes
// is not ours. Each is given the status and the spec of an object, and since when it is being
// deleted; zero: it is not. What ends because it is being deleted has not ended by itself.
var endings = map[schema.GroupKind]func(spec, status map[string]any, deleted time.Time) Ending{
	{Group: "batch", Kind: "Job"}: endingOfJob,
	{Kind: "Pod"}:                 endingOfPod,
}

// Ends says whether objects of a kind end by themselves.
func Ends(gk schema.GroupKind) bool { return endings[gk] != nil }

// EndingOf says how an object of a kind has ended.
func EndingOf(gk schema.GroupKind, object map[string]any) Ending {
	of := endings[gk]
	if of == nil {
		return ""
	}
	spec, _ := object["spec"].(map[string]any)
	status, _ := object["status"].(map[string]any)
	metadata, _ := object["metadata"].(map[string]any)
	deleted := timeOf(metadata["deletionTimestamp"])
	if !deleted.IsZero() { // it is set to when the grace period ends
		deleted = deleted.Add(-time.Duration(toInt64(metadata["deletionGracePeriodSeconds"])) * time.Second)
	}
	return of(spec, status, deleted)
}

// endingOfJob reads the conditions that are the end of a Job: it changes no more after them.
//
// Source: IsJobFinished in k8s.io/kubernetes/pkg/controller/job.
func endingOfJob(_, status map[string]any, deleted time.Time) Ending {
	conditions, _ := status["conditions"].([]any)
	for _, raw := range conditions {
		condition, _ := raw.(map[string]any)
		if condition["status"] != ConditionTrue {
			continue
		}
		switch condition["type"] {
		case "Complete":
			return Succeeded // also while it is being deleted: its work is done
		case "Failed":
			if at := timeOf(condition["lastTransitionTime"]); deleted.IsZero() || !at.After(deleted) {
				return Failed
			}
		}
	}
	return ""
}

// endingOfPod reads the phase. A pod that something has disrupted (an eviction, a node that
// went) has not ended by itself; neither has one whose containers were to run again.
func endingOfPod(spec, status map[string]any, deleted time.Time) Ending {
	ending := Ending("")
	switch status["phase"] {
	case "Succeeded":
		ending = Succeeded
	case "Failed":
		ending = Failed
	}
	switch policy := spec["restartPolicy"]; {
	case policy != "Never" && policy != "OnFailure", status["reason"] == "Evicted":
		return ""
	}
	conditions, _ := status["conditions"].([]any)
	for _, raw := range conditions {
		if condition, _ := raw.(map[string]any); condition["type"] == "DisruptionTarget" && condition["status"] == ConditionTrue {
			return ""
		}
	}
	if ending != "" && !deleted.IsZero() && !endedBefore(status, deleted) {
		return ""
	}
	return ending
}

// endedBefore says whether a pod's containers have all ended by then.
func endedBefore(status map[string]any, then time.Time) bool {
	containers, _ := status["containerStatuses"].([]any)
	for _, raw := range containers {
		container, _ := raw.(map[string]any)
		state, _ := container["state"].(map[string]any)
		terminated, _ := state["terminated"].(map[string]any)
		if at := timeOf(terminated["finishedAt"]); at.IsZero() || at.After(then) {
			return false
		}
	}
	return len(containers) > 0
}

func timeOf(raw any) time.Time {
	text, _ := raw.(string)
	at, _ := time.Parse(time.RFC3339, text) // a bad one is none
	return at
}

// removesItself says whether a cluster removes the object when it has ended, so that nobody
// can tell one that nobody has watched from one that somebody has deleted. One that is
// suspended does not end: if it is gone, somebody has deleted it.
func removesItself(gk schema.GroupKind, object map[string]any) bool {
	if gk != (schema.GroupKind{Group: "batch", Kind: "Job"}) {
		return false
	}
	spec, _ := object["spec"].(map[string]any)
	return spec["ttlSecondsAfterFinished"] != nil && spec["suspend"] != true
}

// Consumption says when an object that was made in a cluster and is gone is done.
type Consumption int

const (
	// ConsumedWhenEnded is that of an object of which nobody says otherwise: when it has
	// ended by itself.
	ConsumedWhenEnded Consumption = iota
	// AlwaysConsumed is when it is gone.
	AlwaysConsumed
	// NeverConsumed is never.
	NeverConsumed
)

// ConsumptionOf reads the annotation. A value that nobody knows is a fault, and says nothing.
func ConsumptionOf(value string) (consumption Consumption, fault string) {
	switch value {
	case "":
		return ConsumedWhenEnded, ""
	case "true":
		return AlwaysConsumed, ""
	case "false":
		return NeverConsumed, ""
	}
	return ConsumedWhenEnded, fmt.Sprintf("metadata.annotations[%s]: must be \"true\" or \"false\", is %q: it has no effect", ConsumedAnnotation, errtext.Bounded(value, longestField))
}
