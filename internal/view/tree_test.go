package view

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func owned(uid, kind, name string, owners ...string) Owned {
	return Owned{UID: uid, Kind: kind, Namespace: "shop", Name: name, Owners: owners}
}

func treeText(t *testing.T, tree *Tree, now time.Time) string {
	t.Helper()
	var out bytes.Buffer
	if err := (&Printer{Out: &out}).PrintTable(TreeTable(tree, now)); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return strings.Join(lines, "\n")
}

func TestATreeHasWhatIsOwnedByKindAndName(t *testing.T) {
	now := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	tree := NewTree(owned("d", "Deployment", "web"), []Owned{
		owned("p2", "Pod", "web-1-b", "r1"), owned("r1", "ReplicaSet", "web-1", "d"), owned("r0", "ReplicaSet", "web-0", "d"),
		owned("p1", "Pod", "web-1-a", "r1"), owned("other", "Pod", "api", "x"),
	}, 100)
	tree.Each(func(n *Tree) {
		if n.Health = "Healthy"; n.Name == "web-1-b" {
			n.Health, n.Message = "Degraded", "CrashLoopBackOff"
			n.Event = &MemberEvent{Reason: "BackOff", Message: "back-off 5m0s", Last: metav1.NewTime(now.Add(-time.Minute))}
		}
	})
	want := `OBJECT                      HEALTH     MESSAGE
Deployment/web              Healthy
├─ ReplicaSet/web-0         Healthy
└─ ReplicaSet/web-1         Healthy
   ├─ Pod/web-1-a           Healthy
   └─ Pod/web-1-b           Degraded   CrashLoopBackOff; BackOff 60s ago: back-off 5m0s`
	compact := func(text string) string {
		var lines []string
		for line := range strings.Lines(text) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return strings.Join(lines, "\n")
	}
	if got := treeText(t, tree, now); compact(got) != compact(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What members say is owned by whom may be anything.
func TestATreeIsBoundedAndHasNoCircles(t *testing.T) {
	circle := NewTree(owned("a", "X", "a", "b"), []Owned{owned("a", "X", "a", "b"), owned("b", "X", "b", "a", "b")}, 100)
	if got := len(circle.Children); got != 1 || len(circle.Children[0].Children) != 0 {
		t.Errorf("%+v", circle)
	}
	var many []Owned
	for i := range 300 {
		many = append(many, owned(fmt.Sprint(i), "Pod", fmt.Sprint("p", i), "d"))
	}
	tree := NewTree(owned("d", "Job", "d"), many, 50)
	if len(tree.Children) != 49 || tree.More != 251 {
		t.Errorf("%d children and %d more", len(tree.Children), tree.More)
	}
	if text := treeText(t, tree, time.Now()); !strings.Contains(text, "└─ … 251 more") {
		t.Error(text)
	}
	var chain []Owned
	for i := range 100 {
		chain = append(chain, owned(fmt.Sprint(i+1), "X", "x", fmt.Sprint(i)))
	}
	depth := 0
	for node := NewTree(owned("0", "X", "x"), chain, 1000); len(node.Children) > 0; node = node.Children[0] {
		depth++
	}
	if depth != deepest {
		t.Errorf("%d deep", depth)
	}
}
