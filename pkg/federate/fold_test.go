package federate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	earlier = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	later   = earlier.Add(time.Hour)
)

const (
	earlierText = "2030-01-02T03:04:05Z"
	laterText   = "2030-01-02T04:04:05Z"
)

func fine(clusters ...string) (outcomes []Outcome) {
	for _, cluster := range clusters {
		outcomes = append(outcomes, Outcome{Cluster: cluster, Version: "gen:1"})
	}
	return outcomes
}

func fold(t *testing.T, in FoldInput) Status {
	t.Helper()
	next, changed := Fold(in)
	if !changed {
		t.Fatalf("no change in %+v", next)
	}
	return next
}

// settled is the status of an object that is in order in clusters a and b.
func settled(t *testing.T) Status {
	return fold(t, FoldInput{Generation: 1, Outcomes: fine("b", "a"), Now: earlier})
}

func TestFoldFirst(t *testing.T) {
	zone := time.FixedZone("somewhere", 3600)
	want := Status{
		ObservedGeneration: 1,
		Conditions: []Condition{
			{Type: "Propagation", Status: "True", LastUpdateTime: earlierText, LastTransitionTime: earlierText},
			{Type: "Ready", Status: "True", Reason: "Propagated", LastUpdateTime: earlierText, LastTransitionTime: earlierText},
		},
		Clusters: []ClusterStatus{{Name: "a", Version: "gen:1"}, {Name: "b", Version: "gen:1"}},
	}
	got := fold(t, FoldInput{Generation: 1, Outcomes: fine("b", "a"), Now: earlier.In(zone)})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// An object that is placed nowhere is propagated.
	got = fold(t, FoldInput{Generation: 1, Now: earlier})
	if got.Condition("Propagation").Status != "True" || len(got.Clusters) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestFoldConditions(t *testing.T) {
	bad := []Outcome{{Cluster: "a"}, {Cluster: "b", Status: UpdateFailed, Message: "denied"}, {Cluster: "c", Status: ClusterNotReady}}
	many := []Outcome{{Cluster: "ok"}}
	for i := range 6 {
		many = append(many, Outcome{Cluster: fmt.Sprint("c", i), Status: UpdateFailed})
	}
	for name, test := range map[string]struct {
		in                      FoldInput
		status, reason, message string
	}{
		"all is well":                   {FoldInput{Outcomes: fine("a")}, "True", "", ""},
		"all is well, with a word":      {FoldInput{Outcomes: fine("a"), Message: "m"}, "True", "", "m"},
		"clusters in trouble":           {FoldInput{Outcomes: bad}, "False", "CheckClusters", "2 of 3 clusters: b UpdateFailed (denied); c ClusterNotReady"},
		"clusters in trouble, a word":   {FoldInput{Outcomes: bad, Message: "m"}, "False", "CheckClusters", "m; 2 of 3 clusters: b UpdateFailed (denied); c ClusterNotReady"},
		"many in trouble":               {FoldInput{Outcomes: many}, "False", "CheckClusters", "6 of 7 clusters: c0 UpdateFailed; c1 UpdateFailed; c2 UpdateFailed; and 3 more"},
		"being removed":                 {FoldInput{Outcomes: []Outcome{{Cluster: "a", Status: WaitingForRemoval}}}, "False", "CheckClusters", "1 of 1 clusters: a WaitingForRemoval"},
		"a reason beats the clusters":   {FoldInput{Outcomes: bad, Reason: ComputePlacementFailed, Message: "spec.placement: no"}, "False", "ComputePlacementFailed", "spec.placement: no"},
		"a reason without a message":    {FoldInput{Reason: NamespaceNotFederated}, "False", "NamespaceNotFederated", "the namespace is not federated: create a FederatedNamespace of the same name in it"},
		"a reason we know nothing of":   {FoldInput{Reason: "Odd"}, "False", "Odd", ""},
		"CheckClusters, none the worse": {FoldInput{Reason: CheckClusters, Message: "m", Outcomes: fine("a")}, "False", "CheckClusters", "m"},
	} {
		t.Run(name, func(t *testing.T) {
			test.in.Now = earlier
			got := fold(t, test.in)
			want := &Condition{Type: "Propagation", Status: test.status, Reason: test.reason, Message: test.message, LastUpdateTime: earlierText, LastTransitionTime: earlierText}
			if diff := cmp.Diff(want, got.Condition("Propagation")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(got.Clusters) != len(test.in.Outcomes) {
				t.Errorf("%d clusters", len(got.Clusters))
			}
		})
	}
}

func TestFoldWithoutAChange(t *testing.T) {
	remote := fine("a")
	remote[0].RemoteStatus = map[string]any{"replicas": int64(1), "conditions": []any{map[string]any{"type": "x"}}}
	sameRemote := fine("a")
	sameRemote[0].RemoteStatus = map[string]any{"replicas": float64(1), "conditions": []any{map[string]any{"type": "x"}}}
	updated := fine("a", "b")
	updated[0].Updated = true
	unsorted := settled(t)
	unsorted.Clusters[0], unsorted.Clusters[1] = unsorted.Clusters[1], unsorted.Clusters[0]
	for name, in := range map[string]FoldInput{
		"the same":                   {Previous: settled(t), Outcomes: fine("a", "b")},
		"in another order":           {Previous: settled(t), Outcomes: fine("b", "a")},
		"written in another order":   {Previous: unsorted, Outcomes: fine("a", "b")},
		"only written again":         {Previous: settled(t), Outcomes: updated},
		"numbers of another Go type": {Previous: fold(t, FoldInput{Generation: 1, Outcomes: remote, Now: earlier}), Outcomes: sameRemote},
		"a cluster told of twice":    {Previous: settled(t), Outcomes: append([]Outcome{{Cluster: "a", Status: UpdateFailed}}, fine("a", "b")...)},
		"problems as before":         {Previous: fold(t, FoldInput{Generation: 1, Problems: []string{"p"}, Now: earlier}), Problems: []string{"p"}},
		"read back from the host":    {Previous: ParseStatus(settled(t).ToUnstructured()), Outcomes: fine("a", "b")},
		"a reason as before":         {Previous: fold(t, FoldInput{Generation: 1, Reason: NamespaceNotFederated, Now: earlier}), Reason: NamespaceNotFederated},
		"conditions of others remain": {Previous: Status{ObservedGeneration: 1, Conditions: []Condition{
			{Type: "Theirs"}, {Type: "Propagation", Status: "True"}, {Type: "Ready", Status: "False", Reason: "NoClusters", Message: "no cluster is to have the object"},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			in.Generation, in.Now = 1, later
			next, changed := Fold(in)
			if changed {
				t.Error("changed")
			}
			if diff := cmp.Diff(in.Previous, next); diff != "" {
				t.Errorf("(-previous +next):\n%s", diff)
			}
		})
	}
}

func TestFoldChanges(t *testing.T) {
	type want struct{ update, transition string }
	failed := []Outcome{{Cluster: "a", Status: UpdateFailed, Message: "x"}}
	failedBefore := fold(t, FoldInput{Generation: 1, Outcomes: failed, Now: earlier})
	version, updated, remote := fine("a", "b"), fine("a", "b"), fine("a", "b")
	version[1].Version = "gen:2"
	updated[1].Updated = true
	remote[1].RemoteStatus = "x"
	for name, test := range map[string]struct {
		in   FoldInput
		want want
	}{
		"generation only":        {FoldInput{Previous: settled(t), Generation: 2, Outcomes: fine("a", "b")}, want{earlierText, earlierText}},
		"generation and a write": {FoldInput{Previous: settled(t), Generation: 2, Outcomes: updated}, want{laterText, earlierText}},
		"version":                {FoldInput{Previous: settled(t), Generation: 1, Outcomes: version}, want{laterText, earlierText}},
		"remote status":          {FoldInput{Previous: settled(t), Generation: 1, Outcomes: remote}, want{laterText, earlierText}},
		"one cluster more":       {FoldInput{Previous: settled(t), Generation: 1, Outcomes: fine("a", "b", "c")}, want{laterText, earlierText}},
		"one cluster less":       {FoldInput{Previous: settled(t), Generation: 1, Outcomes: fine("a")}, want{laterText, earlierText}},
		"another cluster":        {FoldInput{Previous: settled(t), Generation: 1, Outcomes: fine("a", "c")}, want{laterText, earlierText}},
		"into trouble":           {FoldInput{Previous: settled(t), Generation: 1, Outcomes: failed}, want{laterText, laterText}},
		"out of trouble":         {FoldInput{Previous: failedBefore, Generation: 1, Outcomes: fine("a")}, want{laterText, laterText}},
		"another trouble":        {FoldInput{Previous: failedBefore, Generation: 1, Reason: NamespaceNotFederated}, want{laterText, laterText}},
		"another message":        {FoldInput{Previous: failedBefore, Generation: 1, Outcomes: []Outcome{{Cluster: "a", Status: UpdateFailed, Message: "y"}}}, want{laterText, earlierText}},
		"from KubeFed's status": {FoldInput{
			Previous:   Status{ObservedGeneration: 1, Conditions: []Condition{{Type: "Propagation", Status: "True", LastUpdateTime: earlierText, LastTransitionTime: earlierText}}, Clusters: []ClusterStatus{{Name: "a"}}},
			Generation: 1, Outcomes: fine("a"),
		}, want{laterText, earlierText}},
		"a condition without times": {FoldInput{Previous: Status{Conditions: []Condition{{Type: "Propagation", Status: "True"}}}, Generation: 1}, want{laterText, laterText}},
	} {
		t.Run(name, func(t *testing.T) {
			test.in.Now = later
			before := ParseStatus(test.in.Previous.ToUnstructured())
			condition := fold(t, test.in).Condition("Propagation")
			if got := (want{condition.LastUpdateTime, condition.LastTransitionTime}); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if diff := cmp.Diff(before, test.in.Previous); diff != "" {
				t.Errorf("the previous status was modified:\n%s", diff)
			}
		})
	}
}

func TestFoldProblems(t *testing.T) {
	problems := []string{"spec.placement.clusters[1].name: nowhere is not joined"}
	first := fold(t, FoldInput{Previous: settled(t), Generation: 1, Outcomes: fine("a", "b"), Problems: problems, ProblemReason: "UnknownCluster", Now: later})
	want := []Condition{
		{Type: "Propagation", Status: "True", LastUpdateTime: earlierText, LastTransitionTime: earlierText},
		{Type: "Ready", Status: "True", Reason: "Propagated", LastUpdateTime: earlierText, LastTransitionTime: earlierText},
		{Type: "Accepted", Status: "False", Reason: "UnknownCluster", Message: problems[0], LastUpdateTime: laterText, LastTransitionTime: laterText},
	}
	if diff := cmp.Diff(want, first.Conditions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	more := fold(t, FoldInput{Previous: first, Generation: 1, Outcomes: fine("a", "b"), Problems: []string{"p", "q", "r", "s"}, Now: later.Add(time.Hour)})
	accepted := more.Condition("Accepted")
	if accepted.Reason != "InvalidSpec" || accepted.Message != "p; q; r; and 1 more" {
		t.Errorf("%+v", accepted)
	}
	gone := fold(t, FoldInput{Previous: more, Generation: 1, Outcomes: fine("a", "b"), Now: later})
	if diff := cmp.Diff(want[:2], gone.Conditions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFoldKeepsTheConditionsOfOthers(t *testing.T) {
	previous := Status{Conditions: []Condition{{Type: "Propagation", Status: "False"}, {Type: "Theirs", Status: "True", Message: "m"}, {Type: "Propagation", Status: "True"}}}
	got := fold(t, FoldInput{Previous: previous, Now: later})
	want := []Condition{
		{Type: "Propagation", Status: "True", LastUpdateTime: laterText, LastTransitionTime: laterText}, previous.Conditions[1],
		{Type: "Ready", Status: "False", Reason: "NoClusters", Message: "no cluster is to have the object", LastUpdateTime: laterText, LastTransitionTime: laterText},
	}
	if diff := cmp.Diff(want, got.Conditions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFoldRollup(t *testing.T) {
	count := func(clusters []ClusterStatus) map[string]any {
		if len(clusters) == 0 {
			return nil
		}
		return map[string]any{"clusters": int64(len(clusters))}
	}
	first := fold(t, FoldInput{Generation: 1, Outcomes: fine("a", "b"), Rollup: count, Now: earlier})
	if diff := cmp.Diff(map[string]any{"clusters": int64(2)}, first.Rollup); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, test := range map[string]struct {
		in   FoldInput
		want bool
	}{
		"as before":               {FoldInput{Previous: first, Outcomes: fine("a", "b"), Rollup: count}, false},
		"read back from JSON":     {FoldInput{Previous: Status{ObservedGeneration: 1, Conditions: first.Conditions, Clusters: first.Clusters, Rollup: map[string]any{"clusters": float64(2)}}, Outcomes: fine("a", "b"), Rollup: count}, false},
		"written before it was":   {FoldInput{Previous: settled(t), Outcomes: fine("a", "b"), Rollup: count}, true},
		"a cluster less":          {FoldInput{Previous: first, Outcomes: fine("a"), Rollup: count}, true},
		"no cluster any more":     {FoldInput{Previous: first, Rollup: count}, true},
		"nobody adds up any more": {FoldInput{Previous: first, Outcomes: fine("a", "b")}, false},
	} {
		test.in.Generation, test.in.Now = 1, later
		if _, changed := Fold(test.in); changed != test.want {
			t.Errorf("%s: changed is %t", name, changed)
		}
	}
}

func TestMessagesStayReadable(t *testing.T) {
	var outcomes []Outcome
	for i := range 500 {
		outcomes = append(outcomes, Outcome{Cluster: fmt.Sprintf("cluster-%03d", i), Status: CreationFailed, Message: strings.Repeat("denied ", 1000)})
	}
	message := fold(t, FoldInput{Outcomes: outcomes}).Condition("Propagation").Message
	if len(message) > 1024 || !strings.HasSuffix(message, "; and 497 more") {
		t.Errorf("%d bytes: %s", len(message), message)
	}
}
