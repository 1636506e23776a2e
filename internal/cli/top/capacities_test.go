package top

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func TestWaitingNamesThoseWhoseAnswerIsExpected(t *testing.T) {
	capacity := func(name string, conditions ...metav1.Condition) v1alpha1.ClusterCapacity {
		c := v1alpha1.ClusterCapacity{Status: v1alpha1.ClusterCapacityStatus{Conditions: conditions}}
		c.Name = name
		return c
	}
	nodes := metav1.Condition{Type: v1alpha1.ConditionKnown, Status: metav1.ConditionTrue}
	requests := func(reason string) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionRequestsKnown, Status: metav1.ConditionFalse, Reason: reason}
	}
	text := waitingFor([]v1alpha1.ClusterCapacity{
		capacity("no-nodes"), capacity("new", nodes), capacity("listing", nodes, requests(v1alpha1.ReasonListing)),
		capacity("unreadable", nodes, requests(v1alpha1.ReasonPodsUnreadable)), capacity("not-yet", nodes, requests(v1alpha1.ReasonNotFollowed)),
	})
	if want := " in new, listing, not-yet"; !strings.HasSuffix(text, want) {
		t.Errorf("%q does not end with %q", text, want)
	}
}

func TestNotesSayWhatIsOfEarlier(t *testing.T) {
	away := v1alpha1.ClusterCapacity{}
	away.Name = "away"
	away.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionKnown, Status: metav1.ConditionFalse, Message: "the nodes cannot be read"},
		{Type: v1alpha1.ConditionPluginsRun, Status: metav1.ConditionFalse, Message: "no plugin on node-1"},
	}
	known := v1alpha1.ClusterCapacity{}
	known.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionKnown, Status: metav1.ConditionTrue}, {Type: v1alpha1.ConditionPluginsRun, Status: metav1.ConditionTrue}}
	divided := v1alpha1.ClusterCapacity{}
	divided.Name = "divided"
	divided.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPluginsRun, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonDivided, Message: "node-1 offers both"}}
	got := strings.Join(notesOf([]v1alpha1.ClusterCapacity{away, known, divided}), "\n")
	if want := "cluster away: the nodes cannot be read; what is shown is what was known last\ncluster away: no plugin on node-1\ncluster divided: node-1 offers both"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
