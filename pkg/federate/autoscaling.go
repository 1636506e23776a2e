package federate

import (
	"fmt"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// AfterAutoscalerAnnotation says on a federated object what becomes of the replicas in a
// cluster when the last autoscaler of its object there has gone: Keep, the default, leaves
// the last number, until the template says another one, and Template brings the template's back.
const AfterAutoscalerAnnotation = "fedctl.io/replicas-after-autoscaler"

// Values of the annotation.
const (
	AfterAutoscalerKeep     = "Keep"
	AfterAutoscalerTemplate = "Template"
)

// AfterAutoscalerOf says whether the template's number comes back. A value that nobody knows
// is a fault, and says nothing.
func AfterAutoscalerOf(value string) (back bool, fault string) {
	switch value {
	case "", AfterAutoscalerKeep:
		return false, ""
	case AfterAutoscalerTemplate:
		return true, ""
	}
	return false, fmt.Sprintf("metadata.annotations[%s]: must be %s or %s, is %q: it has no effect",
		AfterAutoscalerAnnotation, AfterAutoscalerKeep, AfterAutoscalerTemplate, errtext.Bounded(value, longestField))
}

// ReplicasLeft says why the replicas of an object are its cluster's; empty if they are not.
type ReplicasLeft string

const (
	// ReplicasAutoscaled says that an autoscaler there decides on them.
	ReplicasAutoscaled ReplicasLeft = "Autoscaled"
	// ReplicasKept says that one has, and has gone.
	ReplicasKept ReplicasLeft = "Kept"
	// ReplicasUnreadable says that somebody there has set them, and nobody can tell whether that was
	// an autoscaler.
	ReplicasUnreadable ReplicasLeft = "Unreadable"
)

// Autoscaling is what autoscalers in a cluster mean for the object there. The zero value
// says that there are none.
type Autoscaling struct {
	// Replicas says why spec.replicas are the cluster's.
	Replicas ReplicasLeft
	// By are the autoscalers that decide on them, such as "HorizontalPodAutoscaler web".
	By string
	// TemplateReplicas are what the template said last while there was an autoscaler, or when the
	// number that somebody has set was left.
	TemplateReplicas int64
	// RequestsBy are the autoscalers that decide on what the object's pods ask for.
	RequestsBy string
	// Message says why nobody can tell which autoscalers there are.
	Message string
}

// LeavesReplicas says whether spec.replicas are the cluster's.
func (a Autoscaling) LeavesReplicas() bool { return a.Replicas != "" }

// longestAutoscalers and longestUnreadable bound what is said of one cluster.
const longestAutoscalers, longestUnreadable = 200, 240

// Bounded is as much of it as a status has.
func (a Autoscaling) Bounded() Autoscaling {
	a.By, a.RequestsBy = errtext.Bounded(a.By, longestAutoscalers), errtext.Bounded(a.RequestsBy, longestAutoscalers)
	a.Message = errtext.Bounded(a.Message, longestUnreadable)
	return a
}

func (a Autoscaling) toUnstructured() map[string]any {
	out := map[string]any{}
	setString(out, "replicas", string(a.Replicas))
	setString(out, "by", a.By)
	if a.Replicas != "" {
		out["templateReplicas"] = a.TemplateReplicas
	}
	setString(out, "requestsBy", a.RequestsBy)
	setString(out, "message", a.Message)
	return out
}

func parseAutoscaling(raw any) Autoscaling {
	read, _ := raw.(map[string]any)
	a := Autoscaling{
		Replicas: ReplicasLeft(stringOf(read, "replicas")), By: stringOf(read, "by"), RequestsBy: stringOf(read, "requestsBy"), Message: stringOf(read, "message"),
	}
	switch a.Replicas {
	case ReplicasAutoscaled, ReplicasKept, ReplicasUnreadable:
		a.TemplateReplicas = toInt64(read["templateReplicas"])
	default:
		a.Replicas = ""
	}
	return a
}

// Says says it in a sentence; empty if there is nothing to say of the replicas.
func (a Autoscaling) Says() string {
	switch a.Replicas {
	case ReplicasAutoscaled:
		text := fmt.Sprintf("the replicas are left to %s: the template's %d are not sent", a.By, a.TemplateReplicas)
		if a.Message != "" {
			text += ", as far as is known: " + a.Message
		}
		return text
	case ReplicasKept:
		return fmt.Sprintf("the autoscaler has gone, and the last number of replicas stays until the template says another one than %d", a.TemplateReplicas)
	case ReplicasUnreadable:
		return "the replicas were set in the cluster and are left as they are, since it is not known whether by an autoscaler: " + a.Message
	}
	return ""
}

// Withheld says that the template has another number than it had when the replicas were left,
// which is not sent as long as nobody can tell whether there is an autoscaler.
func (a Autoscaling) Withheld(template int64) string {
	return fmt.Sprintf("spec.replicas: %d of the template is not sent, which was %d when the replicas were left: it is not known whether an autoscaler decides on them: %s",
		template, a.TemplateReplicas, a.Message)
}
