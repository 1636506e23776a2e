package federate

import (
	"strings"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/workload"
)

func with(cluster string, status PropagationStatus, health workload.HealthStatus, message string) Outcome {
	o := Outcome{Cluster: cluster, Status: status, Health: &workload.Health{Status: health, Message: message}}
	if health == "" {
		o.Health = nil
	}
	return o
}

func TestReady(t *testing.T) {
	const ok = ClusterPropagationOK
	healthy, degraded := with("a", ok, workload.Healthy, ""), with("b", ok, workload.Degraded, "it has failed")
	progressing, offline := with("c", ok, workload.Progressing, "Ready: 1/2"), with("d", ClusterNotReady, workload.Unknown, "")
	refused, leaving := with("e", UpdateFailed, workload.Healthy, ""), with("f", WaitingForRemoval, "", "")
	for name, test := range map[string]struct {
		outcomes               []Outcome
		reason                 AggregateReason
		status, wants, message string
	}{
		"healthy everywhere":             {[]Outcome{healthy}, "", "True", "Healthy", ""},
		"of no health":                   {[]Outcome{with("a", ok, "", "")}, "", "True", "Propagated", ""},
		"suspended":                      {[]Outcome{healthy, with("b", ok, workload.Suspended, "spec.suspend is true")}, "", "True", "Suspended", "1 of 2 clusters: b Suspended (spec.suspend is true)"},
		"progressing":                    {[]Outcome{healthy, progressing}, "", "False", "Progressing", "1 of 2 clusters: c Progressing (Ready: 1/2)"},
		"degraded beats all":             {[]Outcome{healthy, progressing, degraded, offline, refused}, "", "False", "Degraded", "1 of 5 clusters: b Degraded (it has failed)"},
		"known not to be ready":          {[]Outcome{progressing, offline}, "", "False", "Progressing", "1 of 2 clusters: c Progressing (Ready: 1/2)"},
		"offline":                        {[]Outcome{healthy, offline}, "", "Unknown", "ClusterNotReady", "1 of 2 clusters: d ClusterNotReady"},
		"health unknown":                 {[]Outcome{healthy, with("b", ok, workload.Unknown, "m")}, "", "Unknown", "HealthUnknown", "1 of 2 clusters: b HealthUnknown (m)"},
		"not as wanted, though healthy":  {[]Outcome{healthy, refused}, "", "False", "NotPropagated", "1 of 2 clusters: e UpdateFailed"},
		"what leaves does not count":     {[]Outcome{healthy, leaving}, "", "True", "Healthy", ""},
		"only what leaves":               {[]Outcome{leaving}, "", "False", "NoClusters", "no cluster is to have the object"},
		"nowhere":                        {nil, "", "False", "NoClusters", "no cluster is to have the object"},
		"done":                           {[]Outcome{with("a", Completed, "", "")}, "", "True", "Healthy", ""},
		"done, and it had failed":        {[]Outcome{with("a", Completed, workload.Degraded, "m")}, "", "False", "Degraded", "1 of 1 clusters: a Degraded (m)"},
		"nothing is known of the whole":  {[]Outcome{healthy}, NamespaceNotFederated, "False", "NamespaceNotFederated", "the namespace is not federated: create a FederatedNamespace of the same name in it"},
		"removal that fails counts less": {[]Outcome{healthy, with("b", DeletionFailed, "", "")}, "", "True", "Healthy", ""},
	} {
		t.Run(name, func(t *testing.T) {
			next := fold(t, FoldInput{Generation: 1, Outcomes: test.outcomes, Reason: test.reason, Now: earlier})
			ready := next.Condition(ConditionReady)
			if ready.Status != test.status || ready.Reason != test.wants || ready.Message != test.message {
				t.Errorf("got %+v", ready)
			}
			if stalled := next.Condition(ConditionStalled); (stalled != nil) != (test.wants == "Degraded") {
				t.Errorf("got %+v", stalled)
			}
		})
	}
}

func TestProgressDeadlineOf(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 5, "20m": 20 * time.Minute, "0": 0, "soon": 5, "-1s": 5} {
		got, fault := ProgressDeadlineOf(value, 5)
		if got != want || (fault != "") != (value == "soon" || value == "-1s") {
			t.Errorf("%q: %s, %q", value, got, fault)
		}
	}
}

// However many clusters say how much: the status stays writable.
func TestHealthIsBounded(t *testing.T) {
	var outcomes []Outcome
	for i := range 1000 {
		outcomes = append(outcomes, with(strings.Repeat("c", 1+i%50)+string(rune('a'+i%26))+time.Duration(i).String(), ClusterPropagationOK, workload.Degraded, strings.Repeat("why ", 1000)))
	}
	next := fold(t, FoldInput{Outcomes: outcomes, Now: earlier})
	together := 0
	for _, c := range next.Clusters {
		together += len(c.Health.Message)
	}
	if together > mostHealthTogether {
		t.Errorf("%d bytes", together)
	}
}
