package membership

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// KubeFed's reasons and messages of KubeFedCluster conditions. ReasonNotProbed is
// ours and is never written to a KubeFedCluster.
const (
	ReasonReady        = "ClusterReady"
	ReasonNotReady     = "ClusterNotReady"
	ReasonNotReachable = "ClusterNotReachable"
	ReasonReachable    = "ClusterReachable"
	ReasonMalformed    = "ClusterConfigMalformed"
	ReasonNotProbed    = "ClusterNotProbed"

	messageReady        = "/healthz responded with ok"
	messageNotReady     = "/healthz responded without ok"
	messageNotReachable = "cluster is not reachable"
	messageReachable    = "cluster is reachable"
	messageMalformed    = "cluster's configuration may be malformed"
	messageNotProbed    = "the cluster has not been probed yet"
)

// reasonOf returns reason and message of the Ready condition.
func reasonOf(h health) (reason, message string) {
	if !h.Known {
		return ReasonNotProbed, messageNotProbed
	}
	switch h.Why.Verdict {
	case reach.Ready:
		return ReasonReady, join(messageReady, "; ", h.Why.Problem)
	case reach.Offline:
		return ReasonNotReachable, join(messageNotReachable, ": ", h.Why.Detail)
	case reach.Malformed:
		return ReasonMalformed, join(messageMalformed, ": ", h.Why.Detail)
	case duplicate, stranger, foreignSecret:
		return string(h.Why.Verdict), h.Why.Detail
	default:
		return ReasonNotReady, join(messageNotReady, ": ", h.Why.Detail)
	}
}

func join(message, separator, detail string) string {
	if detail == "" {
		return message
	}
	return errtext.Bounded(message+separator+detail, errtext.Cluster)
}

// statusFor returns the status that a KubeFedCluster should have. malformed says
// what is wrong with its configuration, if anything. Facts that are unknown, and
// transition times of conditions that stay, are taken from previous.
func statusFor(previous fedcorev1beta1.KubeFedClusterStatus, h health, f Facts, malformed string, now time.Time) fedcorev1beta1.KubeFedClusterStatus {
	next := fedcorev1beta1.KubeFedClusterStatus{
		Conditions:        conditionsFor(previous.Conditions, h, malformed, now),
		KubernetesVersion: previous.KubernetesVersion,
		Zones:             previous.Zones,
		Region:            previous.Region,
	}
	if f.KubernetesVersion != "" {
		next.KubernetesVersion = f.KubernetesVersion
	}
	if f.Nodes != nil {
		next.Zones, next.Region = f.Nodes.Zones, nil
		if f.Nodes.Region != "" {
			next.Region = &f.Nodes.Region
		}
	}
	return next
}

func conditionsFor(previous []fedcorev1beta1.ClusterCondition, h health, malformed string, now time.Time) []fedcorev1beta1.ClusterCondition {
	if !h.Known {
		return previous
	}
	at := metav1.NewTime(now.Truncate(time.Second))
	condition := func(kind fedcommon.ClusterConditionType, status bool, reason, message string) fedcorev1beta1.ClusterCondition {
		message = errtext.Bounded(message, errtext.Cluster)
		c := fedcorev1beta1.ClusterCondition{
			Type: kind, Status: corev1.ConditionFalse, Reason: &reason, Message: &message, LastProbeTime: at, LastTransitionTime: &at,
		}
		if status {
			c.Status = corev1.ConditionTrue
		}
		for _, p := range previous {
			if p.Type == c.Type && p.Status == c.Status && p.LastTransitionTime != nil {
				c.LastTransitionTime = p.LastTransitionTime
			}
		}
		return c
	}
	reason, message := reasonOf(h)
	conditions := []fedcorev1beta1.ClusterCondition{condition(fedcommon.ClusterReady, h.Ready, reason, message)}
	switch h.Why.Verdict {
	case reach.Offline:
		conditions = append(conditions, condition(fedcommon.ClusterOffline, true, reason, message))
	case reach.Ready, reach.NotReady, duplicate, stranger:
		conditions = append(conditions, condition(fedcommon.ClusterOffline, false, ReasonReachable, messageReachable))
	}
	if malformed != "" {
		conditions = append(conditions, condition(fedcommon.ClusterConfigMalformed, true, ReasonMalformed, join(messageMalformed, ": ", malformed)))
	}
	return conditions
}

// difference ranks how much two statuses differ.
type difference int

const (
	differsNot       difference = iota // in times only
	differsInMessage                   // in the wording of messages only
	differs                            // in something else
)

func compareStatus(a, b fedcorev1beta1.KubeFedClusterStatus) difference {
	if a.KubernetesVersion != b.KubernetesVersion || !slices.Equal(a.Zones, b.Zones) ||
		valueOf(a.Region) != valueOf(b.Region) || len(a.Conditions) != len(b.Conditions) {
		return differs
	}
	result := differsNot
	for i, c := range a.Conditions {
		d := b.Conditions[i]
		if c.Type != d.Type || c.Status != d.Status || valueOf(c.Reason) != valueOf(d.Reason) {
			return differs
		}
		if valueOf(c.Message) != valueOf(d.Message) {
			result = differsInMessage
		}
	}
	return result
}

func valueOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// lastProbe returns the newest probe time that a status shows.
func lastProbe(status fedcorev1beta1.KubeFedClusterStatus) time.Time {
	var latest time.Time
	for _, c := range status.Conditions {
		if c.LastProbeTime.After(latest) {
			latest = c.LastProbeTime.Time
		}
	}
	return latest
}
