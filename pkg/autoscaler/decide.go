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
	// Listing says that those of replicas are being read, and there may be more. Unreadable says
	// why they cannot be; empty if they can.
	Listing    bool
	Unreadable string
	// RequestsUnknown says that those of requests are being read, or cannot be.
	RequestsUnknown bool
}

// Input is all that it depends on whose the replicas of an object are in a cluster.
type Input struct {
	Found

	// Away says that nobody knows what is in the cluster now.
	Away bool
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

// Decision says whose the replicas of an object are in a cluster.
type Decision struct {
	// Says is what is to be said of it.
	Says federate.Autoscaling
	// Leave says that they are the cluster's, and not sent.
	Leave bool
	// Withheld says that the template has another number than it had when they were left, which
	// would count if it were known that there is no autoscaler.
	Withheld bool
}

// Decide says whose the replicas are, and what is to be said of that.
//
// They are an autoscaler's as long as there is one. When it has gone, the last number stays
// until the template says another one than it said then. Where the autoscalers cannot be read,
// or have not been read yet, what was known counts, and a number that somebody there has set
// is not fought over: an autoscaler that nobody sees may keep a hundred replicas that the load
// needs, and the template's three in their place would be an outage.
func Decide(in Input) Decision {
	next := federate.Autoscaling{RequestsBy: list(in.Requests)}
	if in.RequestsUnknown && next.RequestsBy == "" {
		next.RequestsBy = in.Before.RequestsBy
	}
	if in.Template == nil {
		return Decision{Says: next}
	}
	before := in.Before.Replicas
	switch {
	case in.Away:
		return away(in, next)
	case in.Listing && (before == federate.ReplicasAutoscaled || len(in.Replicas) == 0):
		return listing(in, next)
	case len(in.Replicas) > 0:
		next.Replicas, next.By, next.TemplateReplicas = federate.ReplicasAutoscaled, list(in.Replicas), *in.Template
		return Decision{Says: next, Leave: true}
	case in.Unreadable != "":
		return unreadable(in, next)
	case !in.There || in.Back, before != federate.ReplicasAutoscaled && before != federate.ReplicasKept, *in.Template != in.Before.TemplateReplicas:
		return Decision{Says: next}
	}
	next.Replicas, next.TemplateReplicas = federate.ReplicasKept, in.Before.TemplateReplicas
	return Decision{Says: next, Leave: true}
}

// listing decides while it is not known which autoscalers there are: nothing else is said than
// before, since those that have not been read yet may be the ones that are told of.
func listing(in Input, next federate.Autoscaling) Decision {
	requests := next.RequestsBy
	next = in.Before
	next.RequestsBy = requests
	return Decision{Says: next, Leave: next.Replicas != "" || in.Scaled && in.There}
}

// away decides for a cluster that cannot be reached: what was known of its autoscalers counts,
// but which number of the template is not sent, the template tells.
func away(in Input, next federate.Autoscaling) Decision {
	requests := next.RequestsBy
	next = in.Before
	next.RequestsBy = requests
	if next.Replicas == federate.ReplicasAutoscaled {
		next.TemplateReplicas = *in.Template
	}
	return Decision{Says: next, Leave: next.Replicas != "", Withheld: next.Message != "" && *in.Template != next.TemplateReplicas}
}

// unreadable decides where nobody can tell whether there are autoscalers.
func unreadable(in Input, next federate.Autoscaling) Decision {
	before := in.Before.Replicas
	known := before == federate.ReplicasAutoscaled || before == federate.ReplicasKept
	switch {
	case !in.There, !known && !in.Scaled:
		return Decision{Says: next}
	case before == "":
		next.Replicas, next.TemplateReplicas = federate.ReplicasUnreadable, *in.Template
	default: // what is gone by now, nobody can tell
		next.Replicas, next.By, next.TemplateReplicas = before, in.Before.By, in.Before.TemplateReplicas
	}
	if before == federate.ReplicasAutoscaled {
		next.TemplateReplicas = *in.Template
	}
	next.Message = in.Unreadable
	return Decision{Says: next, Leave: true, Withheld: *in.Template != next.TemplateReplicas}
}

// mostNamed are how many autoscalers are named.
const mostNamed = 3

func list(names []string) string {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	if len(names) <= mostNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), len(names)-mostNamed)
}
