package autoscaler_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/federate"
)

// Who does not see a cluster decides as the controller does, by what it has said.
func TestRecall(t *testing.T) {
	type says = federate.Autoscaling
	const hpa = "HorizontalPodAutoscaler web"
	decision := func(s says, withheld bool) autoscaler.Decision {
		return autoscaler.Decision{Says: s, Leave: s.Replicas != "", Withheld: withheld}
	}
	for name, test := range map[string]struct {
		said     says
		template int64
		back     bool
		want     autoscaler.Decision
	}{
		"nothing":                {says{}, 3, false, decision(says{}, false)},
		"autoscaled":             {says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 3}, 5, true, decision(says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 5}, false)},
		"autoscaled, unreadable": {says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 3, Message: "no"}, 5, false, decision(says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 5, Message: "no"}, false)},
		"kept":                   {says{Replicas: federate.ReplicasKept, TemplateReplicas: 3}, 3, false, decision(says{Replicas: federate.ReplicasKept, TemplateReplicas: 3}, false)},
		"kept, to come back":     {says{Replicas: federate.ReplicasKept, TemplateReplicas: 3}, 3, true, decision(says{}, false)},
		"kept, another number":   {says{Replicas: federate.ReplicasKept, TemplateReplicas: 3}, 5, false, decision(says{}, false)},
		"kept, another number, unreadable": {says{Replicas: federate.ReplicasKept, TemplateReplicas: 3, Message: "no"}, 5, false,
			decision(says{Replicas: federate.ReplicasKept, TemplateReplicas: 3, Message: "no"}, true)},
		"unreadable":                 {says{Replicas: federate.ReplicasUnreadable, TemplateReplicas: 3, Message: "no"}, 3, false, decision(says{Replicas: federate.ReplicasUnreadable, TemplateReplicas: 3, Message: "no"}, false)},
		"unreadable, another number": {says{Replicas: federate.ReplicasUnreadable, TemplateReplicas: 3, Message: "no"}, 5, false, decision(says{Replicas: federate.ReplicasUnreadable, TemplateReplicas: 3, Message: "no"}, true)},
		"requests":                   {says{RequestsBy: "VerticalPodAutoscaler web"}, 3, false, decision(says{RequestsBy: "VerticalPodAutoscaler web"}, false)},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, autoscaler.Recall(test.said, &test.template, test.back)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
