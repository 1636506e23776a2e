package federate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
)

// someOutcomes are outcomes of a few clusters, each in any state.
func someOutcomes(random *rand.Rand) []Outcome {
	words := []PropagationStatus{ClusterPropagationOK, ClusterPropagationOK, Completed, NotSelected, Drifted, ClusterNotReady, UpdateFailed, WaitingForRemoval}
	var outcomes []Outcome
	for i := range random.IntN(7) {
		o := Outcome{Cluster: fmt.Sprint("c", i), Status: words[random.IntN(len(words))], Version: []string{"", "v1", "v2"}[random.IntN(3)]}
		if o.Status != ClusterPropagationOK {
			o.Message = strings.Repeat("why, says somebody; ", 1+random.IntN(200))
		}
		if random.IntN(4) == 0 {
			o.RemoteStatus = map[string]any{"said": strings.Repeat("x", 1<<random.IntN(17)), "n": int64(random.IntN(3))}
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func someInput(random *rand.Rand, previous Status, now time.Time) FoldInput {
	in := FoldInput{Previous: previous, Generation: int64(random.IntN(3)), Outcomes: someOutcomes(random), Now: now}
	if random.IntN(4) == 0 {
		in.Reason, in.Message = ComputePlacementFailed, "the selector cannot be read"
	}
	if random.IntN(4) == 0 {
		in.Problems = []string{"spec.placement.clusters[0].name: no cluster has joined"}
	}
	return in
}

// Whatever has been said before and is found now: the status says what is found, in whatever
// order, once, and a status that has been read back is no news.
func TestFoldOfWhatever(t *testing.T) {
	theirs := Condition{Type: "Theirs", Status: "True", Reason: "Other", LastTransitionTime: earlierText}
	for seed := range 400 {
		random := rand.New(rand.NewPCG(3, uint64(seed)))
		status := Status{Conditions: []Condition{theirs}}
		now := earlier
		for range 4 {
			now = now.Add(time.Minute)
			in := someInput(random, status, now)
			next, changed := Fold(in)
			checkFold(t, in, next)

			shuffled := in
			shuffled.Outcomes = slices.Clone(in.Outcomes)
			random.Shuffle(len(shuffled.Outcomes), func(i, j int) {
				shuffled.Outcomes[i], shuffled.Outcomes[j] = shuffled.Outcomes[j], shuffled.Outcomes[i]
			})
			if again, alike := Fold(shuffled); alike != changed || diff.Diff(next, again) != "" {
				t.Errorf("another order says something else: %s", diff.Diff(next, again))
			}
			read := ParseStatus(next.ToUnstructured())
			in.Previous, in.Now = read, now.Add(time.Hour)
			if again, changed := Fold(in); changed {
				t.Errorf("what has been read back is news: %s", diff.Diff(read, again))
			}
			if status = read; t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// checkFold holds what is true of every status.
func checkFold(t *testing.T, in FoldInput, next Status) {
	t.Helper()
	propagation := next.Condition(ConditionPropagation)
	trouble, wanted, fine := 0, 0, 0
	for _, o := range in.Outcomes {
		if o.Status.Trouble() {
			trouble++
		}
		if o.Status != NotSelected {
			wanted++
		}
		if o.Status == ClusterPropagationOK || o.Status == Completed {
			fine++
		}
		if c := next.Cluster(o.Cluster); c == nil || c.Status != o.Status || c.Version != o.Version || (c.Message == "") != (o.Message == "") {
			t.Errorf("of %+v it says %+v", o, c)
		}
	}
	well := trouble == 0 && in.Reason == AggregateSuccess
	if (propagation.Status == ConditionTrue) != well || well != (propagation.Reason == "") || !well && propagation.Message == "" {
		t.Errorf("%d in trouble, reason %q, and it says %+v", trouble, in.Reason, propagation)
	}
	if (next.Condition(ConditionAccepted) != nil) != (len(in.Problems) > 0) || next.Condition("Theirs") == nil {
		t.Errorf("%d problems, and it says %+v", len(in.Problems), next.Conditions)
	}
	if len(next.Clusters) != len(in.Outcomes) || next.ObservedGeneration != in.Generation ||
		!slices.IsSortedFunc(next.Clusters, func(a, b ClusterStatus) int { return cmp.Compare(a.Name, b.Name) }) {
		t.Errorf("%d clusters of generation %d, and it says %+v", len(in.Outcomes), in.Generation, next)
	}
	if summary := next.ToUnstructured()["summary"]; len(in.Outcomes) > 0 && summary != fmt.Sprintf("%d/%d", fine, wanted) {
		t.Errorf("%d of %d, and it says %v", fine, wanted, summary)
	}
	before := in.Previous.Condition(ConditionPropagation)
	if before != nil && before.Status == propagation.Status && before.Reason == propagation.Reason && before.LastTransitionTime != propagation.LastTransitionTime {
		t.Errorf("nothing has changed since %s, and it says %s", before.LastTransitionTime, propagation.LastTransitionTime)
	}
}
