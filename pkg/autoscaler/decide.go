package autoscaler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Found is what is known of the autoscalers of one object in a cluster.
type Found struct {
	// Replicas and Requests are those that own them, by kind and name.
	Replicas, Requests []string
	// Listing says that they are being read, and there may be more. Unreadable says why they
	// cannot be; empty if they can.
	Listing    bool
	Unreadable string
}

// Input is all that it depends on whose the replicas of an object are in a cluster.
type Input struct {
	Found

	// Before is what was decided last.
	Before federate.Autoscaling
	// Template is spec.replicas of the template with its overrides; nil: none are sent anyway.
	Template *int64
	// There says that the object is in the cluster, or may be.
	There bool
	// Scaled says that somebody else than the federation holds its spec.replicas.
	Scaled bool
	// Back says that the template's number comes back when the last autoscaler has gone.
	Back bool
}

// Decide says whose the replicas are, and what is to be said of that. leave: they are the
// cluster's, and not sent.
//
// They are an autoscaler's as long as there is one. When it has gone, the last number stays
// until the template says another one than it said then. Where the autoscalers cannot be read,
// or have not been read yet, what was known counts, and a number that somebody there has set
// is not fought over.
func Decide(in Input) (next federate.Autoscaling, leave bool) {
	next.RequestsBy = list(in.Requests)
	if in.Listing || in.Unreadable != "" {
		next.RequestsBy = in.Before.RequestsBy
	}
	if in.Template == nil {
		return next, false
	}
	before := in.Before.Replicas
	switch {
	case len(in.Replicas) > 0:
		next.Replicas, next.By, next.TemplateReplicas = federate.ReplicasAutoscaled, list(in.Replicas), *in.Template
		return next, true
	case in.Listing:
		return in.Before, before != "" || in.Scaled && in.There
	case in.Unreadable != "":
		return unreadable(in, next)
	case !in.There || in.Back, before != federate.ReplicasAutoscaled && before != federate.ReplicasKept, *in.Template != in.Before.TemplateReplicas:
		return next, false
	}
	next.Replicas, next.TemplateReplicas = federate.ReplicasKept, in.Before.TemplateReplicas
	return next, true
}

// unreadable decides where nobody can tell whether there are autoscalers.
func unreadable(in Input, next federate.Autoscaling) (federate.Autoscaling, bool) {
	before := in.Before.Replicas
	known := before == federate.ReplicasAutoscaled || before == federate.ReplicasKept
	switch {
	case !in.There, !known && !in.Scaled:
		return next, false
	case known: // what is gone by now, nobody can tell
		next.Replicas, next.By, next.TemplateReplicas = before, in.Before.By, in.Before.TemplateReplicas
		if before == federate.ReplicasAutoscaled {
			next.TemplateReplicas = *in.Template
		}
	default:
		next.Replicas, next.TemplateReplicas = federate.ReplicasUnreadable, *in.Template
	}
	next.Message = in.Unreadable
	return next, true
}

// mostNamed are how many autoscalers are named.
const mostNamed = 3

func list(names []string) string {
	if len(names) <= mostNamed {
		return strings.Join(slices.Sorted(slices.Values(names)), ", ")
	}
	named := slices.Sorted(slices.Values(names))[:mostNamed]
	return fmt.Sprintf("%s and %d more", strings.Join(named, ", "), len(names)-mostNamed)
}
