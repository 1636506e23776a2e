package federate

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// sized is a status of about n bytes.
func sized(n int) any { return map[string]any{"a": strings.Repeat("x", n)} }

// TestFoldBoundsWhatIsCollected: the largest are left out, and it is said with the sizes.
func TestFoldBoundsWhatIsCollected(t *testing.T) {
	outcomes := []Outcome{
		{Cluster: "hostile", RemoteStatus: sized(1 << 20)}, {Cluster: "unkept", RemoteStatus: TooLarge(2 << 20)},
		{Cluster: "crowded", RemoteStatus: TooLarge(10)},
		{Cluster: "good", RemoteStatus: sized(100)},
	}
	for i := range 10 {
		outcomes = append(outcomes, Outcome{Cluster: fmt.Sprintf("large-%d", i), RemoteStatus: sized(60 << 10)})
	}
	next, changed := Fold(FoldInput{Outcomes: outcomes, Now: time.Unix(0, 0)})
	if !changed {
		t.Fatal("nothing was folded")
	}
	together := 0
	for _, c := range next.Clusters {
		together += sizeOf(c.RemoteStatus)
	}
	if together > MostCollectedTogether || next.Cluster("hostile").RemoteStatus != nil || next.Cluster("unkept").RemoteStatus != nil || next.Cluster("crowded").RemoteStatus != nil ||
		next.Cluster("good").RemoteStatus == nil || next.Cluster("large-9").RemoteStatus == nil {
		t.Errorf("%d bytes are kept", together)
	}
	condition := next.Condition(ConditionCollected)
	if want := "the status in cluster crowded has 10 bytes: those of this type's other objects"; condition == nil || !strings.Contains(condition.Message, want) {
		t.Errorf("no %q in %+v", want, condition)
	}
	if condition == nil || condition.Status != ConditionFalse || condition.Reason != "TooLarge" ||
		!strings.Contains(condition.Message, "hostile has 1048584 bytes") || next.Condition(ConditionPropagation).Status != ConditionTrue {
		t.Errorf("conditions: %+v", next.Conditions)
	}
	if _, changed := Fold(FoldInput{Previous: next, Outcomes: outcomes, Now: time.Unix(60, 0)}); changed {
		t.Error("the same is written again")
	}
	next, _ = Fold(FoldInput{Previous: next, Outcomes: []Outcome{{Cluster: "good", RemoteStatus: sized(100)}}, Now: time.Unix(60, 0)})
	if next.Condition(ConditionCollected) != nil {
		t.Error("the condition stays when nothing is too large any more")
	}
}

// TestFoldBoundsMessages: a message is bounded for each cluster, and for many of them together.
func TestFoldBoundsMessages(t *testing.T) {
	for _, clusters := range []int{1, 1000} {
		var outcomes []Outcome
		for i := range clusters {
			outcomes = append(outcomes, Outcome{Cluster: fmt.Sprint("c", i), Status: CreationFailed, Message: "begin\x1b" + strings.Repeat("x", 1<<16) + "end"})
		}
		next, _ := Fold(FoldInput{Outcomes: outcomes, Now: time.Unix(0, 0)})
		sum := 0
		for _, c := range next.Clusters {
			sum += len(c.Message)
			if len(c.Message) > 1024 || !strings.HasPrefix(c.Message, "begin x") || !strings.HasSuffix(c.Message, "end") {
				t.Fatalf("%d clusters: %d bytes: %q", clusters, len(c.Message), c.Message)
			}
		}
		if sum > mostMessagesTogether {
			t.Errorf("%d clusters: %d bytes together", clusters, sum)
		}
	}
}
