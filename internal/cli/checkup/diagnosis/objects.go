package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/internal/finding"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// longDeletion is how long a deletion may take before it is told of.
const longDeletion = 5 * time.Minute

// mostNames is how many objects of a trouble are named; the others are counted.
const mostNames = 1000

// Troubles are what is wrong with federated objects, grouped by type and cause. The zero
// value is usable, by several goroutines at a time.
type Troubles struct {
	// Looked is how many objects were looked at.
	Looked int

	mu     sync.Mutex
	groups map[cause]*group
	// replicated are the clusters that hold objects whose replicas are sent.
	replicated map[string]bool
}

// cause is what the objects of a group have in common.
type cause struct{ subject, word string }

type group struct {
	typeName string
	objects  map[string]bool
	more     int
	clusters map[string]bool
	since    *metav1.Time
	example  string // what is said of the first
	first    *unstructured.Unstructured
	level    finding.Level
}

// Add takes up an object of a type.
func (t *Troubles) Add(typ *typeconfig.Type, u *unstructured.Unstructured, now time.Time) {
	row := view.Object(typ.Name, typ.Federated.GVK, u)
	subject := strings.ToLower(typ.CRDName())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Looked++
	since := sinceOf(u, federate.ConditionPropagation)
	note := func(word, cluster, message string, level finding.Level) {
		g := t.group(cause{subject, word}, typ.Name)
		g.add(u, cluster, message, since, level)
	}
	switch deleted := u.GetDeletionTimestamp(); {
	case deleted != nil && now.Sub(deleted.Time) > longDeletion:
		since = deleted
		note(view.Deleting, "", cmp.Or(row.Message, "the deletion waits for its clusters"), finding.Failure)
	case row.Propagated == view.Pending:
		since = nil
		note(view.Pending, "", "the controller has not yet seen the last change", finding.Warning)
	case row.Propagated == federate.ConditionFalse && !hasBadCluster(&row):
		note(row.Reason, "", row.Message, finding.Failure)
	}
	for i := range row.Clusters {
		c := &row.Clusters[i]
		if level, bad := levelOf(c.Status); bad {
			note(c.Status, c.Name, c.Message, level)
		}
	}
	t.autoscaled(u, note)
	if row.Problem != nil {
		since = sinceOf(u, federate.ConditionAccepted)
		note(row.Problem.Reason, "", row.Problem.Message, finding.Warning)
	}
}

// autoscaled looks at whose the replicas of an object are, and tells of the clusters where nobody
// knows. The caller holds mu.
func (t *Troubles) autoscaled(u *unstructured.Unstructured, note func(word, cluster, message string, level finding.Level)) {
	parsed, err := federate.Parse(u)
	if parsed == nil || err != nil || parsed.RetainReplicas || !parsed.SetsReplicas() {
		return // where it cannot be read, that is what is wrong
	}
	if t.replicated == nil {
		t.replicated = map[string]bool{}
	}
	for i := range parsed.Status.Clusters {
		c := &parsed.Status.Clusters[i]
		t.replicated[c.Name] = true
		if c.Autoscaling.Message != "" {
			note("AutoscalersUnreadable", c.Name, c.Autoscaling.Says(), finding.Warning)
		}
	}
}

func hasBadCluster(row *view.ObjectRow) bool {
	return slices.ContainsFunc(row.Clusters, func(c view.ObjectCluster) bool { _, bad := levelOf(c.Status); return bad })
}

// levelOf says how grave a word of status.clusters is. What a cluster's not being ready,
// or its owner's wish, makes of objects is told of, but is not the objects' failure.
func levelOf(status string) (level finding.Level, bad bool) {
	switch federate.PropagationStatus(status) {
	case view.StatusOK, federate.Completed:
		return "", false
	case federate.ClusterNotReady, federate.WaitingForRemoval, federate.WaitingForRights, federate.Drifted:
		return finding.Warning, true
	case federate.ManagedLabelFalse, federate.NotSelected:
		return finding.Note, true
	}
	return finding.Failure, true
}

func sinceOf(u *unstructured.Unstructured, conditionType string) *metav1.Time {
	condition := federate.ParseStatus(u.Object["status"]).Condition(conditionType)
	if condition == nil {
		return nil
	}
	at, err := time.Parse(time.RFC3339, condition.LastTransitionTime)
	if err != nil {
		return nil
	}
	return &metav1.Time{Time: at}
}

func (t *Troubles) group(c cause, typeName string) *group {
	if t.groups == nil {
		t.groups = map[cause]*group{}
	}
	g := t.groups[c]
	if g == nil {
		g = &group{typeName: typeName, objects: map[string]bool{}, clusters: map[string]bool{}}
		t.groups[c] = g
	}
	return g
}

func (g *group) add(u *unstructured.Unstructured, cluster, message string, since *metav1.Time, level finding.Level) {
	name := strings.TrimPrefix(u.GetNamespace()+"/"+u.GetName(), "/")
	switch {
	case len(g.objects) < mostNames:
		g.objects[name] = true
	case !g.objects[name]:
		g.more++
	}
	if cluster != "" {
		g.clusters[cluster] = true
	}
	if g.first == nil {
		g.first, g.example, g.level = u, message, level
	}
	if since != nil && (g.since == nil || since.Before(g.since)) {
		g.since = since
	}
}

func (d *diagnosis) objects() {
	if d.in.Troubles == nil {
		return
	}
	for c, g := range d.in.Troubles.groups {
		where := ""
		if len(g.clusters) > 0 {
			where = " in " + strings.Join(slices.Sorted(maps.Keys(g.clusters)), ", ")
		}
		message := fmt.Sprintf("%s%s; %s says: %s", objects(len(g.objects)+g.more), where, g.first.GetName(), cmp.Or(g.example, "nothing"))
		d.find(finding.Finding{Level: g.level, Code: hyphens(c.word), Subject: c.subject, Objects: slices.Sorted(maps.Keys(g.objects)), Since: g.since,
			Message: message, Do: "fedctl explain " + g.typeName + " " + g.first.GetName() + inNamespace(g.first.GetNamespace())})
	}
}

func objects(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}
