package autoscaler_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/federate"
)

func TestDecide(t *testing.T) {
	type says = federate.Autoscaling
	const hpa, vpa = "HorizontalPodAutoscaler web", "VerticalPodAutoscaler web"
	scaled := says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 3}
	kept := says{Replicas: federate.ReplicasKept, TemplateReplicas: 3}
	unreadable := says{Replicas: federate.ReplicasUnreadable, TemplateReplicas: 3, Message: "no"}
	by := func(names ...string) autoscaler.Found { return autoscaler.Found{Replicas: names} }
	for name, test := range map[string]struct {
		in    autoscaler.Input
		says  says
		leave bool
	}{
		"no autoscaler":                           {autoscaler.Input{There: true}, says{}, false},
		"a number that somebody has set":          {autoscaler.Input{There: true, Scaled: true}, says{}, false},
		"an autoscaler":                           {autoscaler.Input{Found: by(hpa), There: true}, scaled, true},
		"one that was there before the object":    {autoscaler.Input{Found: by(hpa)}, scaled, true},
		"two":                                     {autoscaler.Input{Found: by(hpa, "HorizontalPodAutoscaler a"), There: true}, says{Replicas: federate.ReplicasAutoscaled, By: "HorizontalPodAutoscaler a, " + hpa, TemplateReplicas: 3}, true},
		"many":                                    {autoscaler.Input{Found: by("d", "c", "b", "a"), There: true}, says{Replicas: federate.ReplicasAutoscaled, By: "a, b, c and 1 more", TemplateReplicas: 3}, true},
		"one of requests alone":                   {autoscaler.Input{Found: autoscaler.Found{Requests: []string{vpa}}, There: true}, says{RequestsBy: vpa}, false},
		"a template without replicas":             {autoscaler.Input{Found: by(hpa), There: true, Template: ptr.To(int64(-1))}, says{}, false},
		"it has gone":                             {autoscaler.Input{Before: scaled, There: true}, kept, true},
		"it has gone some time ago":               {autoscaler.Input{Before: kept, There: true}, kept, true},
		"it comes back":                           {autoscaler.Input{Before: kept, Found: by(hpa), There: true}, scaled, true},
		"the template says another number since":  {autoscaler.Input{Before: kept, There: true, Template: ptr.To(int64(5))}, says{}, false},
		"it said another one while it was there":  {autoscaler.Input{Before: scaled, Found: by(hpa), There: true, Template: ptr.To(int64(5))}, says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 5}, true},
		"the template's number comes back":        {autoscaler.Input{Before: scaled, There: true, Back: true}, says{}, false},
		"the object has gone with it":             {autoscaler.Input{Before: scaled}, says{}, false},
		"being read, nothing known":               {autoscaler.Input{Found: autoscaler.Found{Listing: true}, There: true}, says{}, false},
		"being read, somebody has set the number": {autoscaler.Input{Found: autoscaler.Found{Listing: true}, There: true, Scaled: true}, says{}, true},
		"being read, known before":                {autoscaler.Input{Found: autoscaler.Found{Listing: true}, Before: scaled, There: true}, scaled, true},
		"being read, one is found":                {autoscaler.Input{Found: autoscaler.Found{Listing: true, Replicas: []string{hpa}}, There: true}, scaled, true},
		"unreadable, the number is ours":          {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, There: true}, says{}, false},
		"unreadable, somebody has set the number": {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, There: true, Scaled: true}, unreadable, true},
		"unreadable, the object is not there":     {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, Scaled: true}, says{}, false},
		"unreadable, known before": {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, Before: scaled, There: true},
			says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 3, Message: "no"}, true},
		"unreadable, gone before": {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, Before: kept, There: true},
			says{Replicas: federate.ReplicasKept, TemplateReplicas: 3, Message: "no"}, true},
		"readable again, and there is none":                      {autoscaler.Input{Before: unreadable, There: true, Scaled: true}, says{}, false},
		"readable again, and there is one":                       {autoscaler.Input{Before: unreadable, Found: by(hpa), There: true}, scaled, true},
		"unreadable since, and the template says another number": {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, Before: unreadable, There: true, Scaled: true, Template: ptr.To(int64(5))}, unreadable, true},
		"unreadable since, and it says the same":                 {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, Before: unreadable, There: true, Scaled: true}, unreadable, true},
		"unreadable, autoscaled before, and it says another one": {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, Before: scaled, There: true, Template: ptr.To(int64(5))},
			says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 5, Message: "no"}, true},
		"unreadable, gone before, and it says another one": {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, Before: kept, There: true, Template: ptr.To(int64(5))},
			says{Replicas: federate.ReplicasKept, TemplateReplicas: 3, Message: "no"}, true},
		"unreadable, the number is the template's by now": {autoscaler.Input{Found: autoscaler.Found{Unreadable: "no"}, Before: unreadable, There: true}, says{}, false},
		"being read, one of two is found": {autoscaler.Input{Found: autoscaler.Found{Listing: true, Replicas: []string{hpa}}, Before: says{Replicas: federate.ReplicasAutoscaled, By: hpa + ", ScaledObject web", TemplateReplicas: 3}, There: true},
			says{Replicas: federate.ReplicasAutoscaled, By: hpa + ", ScaledObject web", TemplateReplicas: 3}, true},
		"away": {autoscaler.Input{Away: true, Before: scaled}, scaled, true},
		"away, and the template says another one":          {autoscaler.Input{Away: true, Before: scaled, Template: ptr.To(int64(5))}, says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 5}, true},
		"away, and it says none":                           {autoscaler.Input{Away: true, Found: autoscaler.Found{RequestsUnknown: true}, Before: says{Replicas: federate.ReplicasAutoscaled, By: hpa, TemplateReplicas: 3, RequestsBy: vpa}, Template: ptr.To(int64(-1))}, says{RequestsBy: vpa}, false},
		"away, gone before, and it says another one":       {autoscaler.Input{Away: true, Before: kept, Template: ptr.To(int64(5))}, kept, true},
		"away, unreadable before, and it says another one": {autoscaler.Input{Away: true, Before: unreadable, Template: ptr.To(int64(5))}, unreadable, true},
		"two of the same name":                             {autoscaler.Input{Found: by("ScaledObject web", "ScaledObject web"), There: true}, says{Replicas: federate.ReplicasAutoscaled, By: "ScaledObject web", TemplateReplicas: 3}, true},
		"no requests any more":                             {autoscaler.Input{Before: says{RequestsBy: vpa}, There: true}, says{}, false},
		"no requests, while replicas are read":             {autoscaler.Input{Found: autoscaler.Found{Listing: true}, Before: says{RequestsBy: vpa}, There: true}, says{}, false},
		"requests that are being read":                     {autoscaler.Input{Found: autoscaler.Found{RequestsUnknown: true}, Before: says{RequestsBy: vpa}, There: true}, says{RequestsBy: vpa}, false},
		"requests that are being read, and found":          {autoscaler.Input{Found: autoscaler.Found{RequestsUnknown: true, Requests: []string{vpa}}, There: true}, says{RequestsBy: vpa}, false},
	} {
		t.Run(name, func(t *testing.T) {
			switch {
			case test.in.Template == nil:
				test.in.Template = ptr.To(int64(3))
			case *test.in.Template < 0:
				test.in.Template = nil
			}
			got := autoscaler.Decide(test.in)
			if diff := cmp.Diff(test.says, got.Says); diff != "" || got.Leave != test.leave {
				t.Errorf("left: %v (-want +got):\n%s", got.Leave, diff)
			}
			withheld := (test.in.Unreadable != "" || test.in.Away && got.Says.Message != "") && got.Leave && *test.in.Template != got.Says.TemplateReplicas
			if got.Withheld != withheld {
				t.Errorf("withheld: %v", got.Withheld)
			}
		})
	}
}
