package capacity

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// mostOfGroups is how many bytes of the node groups of a kind are held.
const mostOfGroups = 2 << 20

// nodeGroups are a member's node groups, by kind. Few members have any.
type nodeGroups []*groups

// groups are the node groups of one kind.
type groups struct {
	*groupKind

	table *fleet.Table[nodeGroup]
	watch *fleet.Watch[nodeGroup]
}

// followNodeGroups begins to follow a member's node groups, until ctx ends.
func followNodeGroups(ctx context.Context, client dynamic.Interface, served fleet.Discovery, cluster string, log logr.Logger, changed func()) nodeGroups {
	var all nodeGroups
	for i := range groupKinds {
		kind := &groupKinds[i]
		table := newGroups(kind, changed)
		source := (&servedObjects{client: client, served: served, versions: kind.versions, resource: schema.GroupResource{Group: kind.group, Resource: kind.resource}}).source()
		source.Name, source.Log, source.OnTrouble = "member "+cluster+": "+kind.resource+"."+kind.group, log, changed
		all = append(all, &groups{groupKind: kind, table: table, watch: fleet.Follow(ctx, source, table)})
	}
	return all
}

// newGroups returns a table of the node groups of a kind; changed is told of news.
func newGroups(kind *groupKind, changed func()) *fleet.Table[nodeGroup] {
	same := func(before, after *nodeGroup) bool { return reflect.DeepEqual(before, after) }
	return fleet.NewTable(fleet.Rules[nodeGroup]{
		Read: kind.nodeGroupOf, Same: same,
		Weigh: (*nodeGroup).weight, MostWeight: mostOfGroups, Lighten: (*nodeGroup).light,
		OnChange: func(_ types.NamespacedName, before, after *nodeGroup) {
			if !same(before, after) {
				changed()
			}
		},
		OnSynced: changed,
	})
}

// listing says that node groups are being read, and nothing is wrong.
func (all nodeGroups) listing() bool {
	return slices.ContainsFunc(all, func(g *groups) bool {
		return !g.table.Synced() && g.watch.Problem() == nil && g.watch.Age() < listingTime
	})
}

// describe adds how far node groups let the cluster grow. previous is what was said before,
// which is what is known of those that have not been read.
func (all nodeGroups) describe(s *seen, previous v1alpha1.ClusterCapacityStatus) {
	own := map[string]bool{"": true}
	for i := range s.nodes {
		if machines := s.nodes[i].Machines; machines != "" {
			own[machines] = true
		}
	}
	var known []accelerator.NodeGroup
	t := groupsTold{}
	for _, g := range all {
		switch problem := g.watch.Problem(); {
		case g.watch.Lacks():
			continue
		case !g.table.Synced():
			s.grouped = append(s.grouped, growthOf(g.title(), previous)...)
			t.unread(problem)
		default:
			if problem != nil {
				t.unread(problem)
			}
			known = append(known, t.take(valuesOf(g.table), own)...)
		}
		t.served = true
	}
	s.grouped = append(s.grouped, accelerator.Grouped(known)...)
	s.nodeGroups = t.condition()
}

// growthOf is what was said before of node groups of a kind, by its title.
func growthOf(kind string, previous v1alpha1.ClusterCapacityStatus) (growth []v1alpha1.Growth) {
	for _, g := range previous.Growth {
		if g.Source == v1alpha1.GrowthNodeGroup && strings.HasPrefix(g.Name, kind+" ") {
			growth = append(growth, g)
		}
	}
	return growth
}

// groupsTold is what there is to say of node groups beside their growth.
type groupsTold struct {
	served, listing bool
	unreadable      error
	problems        []string
	// silent are node groups that do not say what a new node has, foreign those of other clusters.
	silent  []string
	foreign int
}

func (t *groupsTold) unread(problem error) {
	if t.listing = t.listing || problem == nil; t.unreadable == nil {
		t.unreadable = problem
	}
}

// take returns those that are of this cluster and say how far they grow.
func (t *groupsTold) take(all []*nodeGroup, own map[string]bool) (known []accelerator.NodeGroup) {
	for _, group := range all {
		switch {
		case !own[group.cluster]:
			if group.Most > 0 {
				t.foreign++
			}
		case group.problem != "":
			t.problems = append(t.problems, group.problem)
		case group.Most > 0 && len(group.Node) == 0:
			t.silent = append(t.silent, group.Name)
		case group.Most > 0:
			known = append(known, group.NodeGroup)
		}
	}
	return known
}

// condition is nil where the member serves no node groups.
func (t *groupsTold) condition() *metav1.Condition {
	c := &metav1.Condition{Status: metav1.ConditionFalse}
	const last = ", and what is said of them is what was known last"
	switch {
	case t.unreadable != nil:
		c.Reason, c.Message = v1alpha1.ReasonNodeGroupsUnreadable, "node groups cannot be read"+last+": "+errtext.Stable(t.unreadable)
	case t.listing:
		c.Reason, c.Message = v1alpha1.ReasonListing, "node groups are being read"+last
	case len(t.problems) > 0:
		slices.Sort(t.problems)
		c.Reason, c.Message = v1alpha1.ReasonInvalidNodeGroup, strings.Join(t.problems, "; ")
	case !t.served:
		return nil
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, v1alpha1.ReasonFollowed, "node groups are followed"
		if len(t.silent) > 0 {
			c.Message += fmt.Sprintf("; %d do not say what a new node has, such as %s", len(t.silent), slices.Min(t.silent))
		}
		if t.foreign > 0 {
			c.Message += fmt.Sprintf("; %d are of other clusters", t.foreign)
		}
	}
	return c
}

// machinesOf a node are the namespace and name of the cluster of Cluster API's that it is of;
// empty where it is of none.
func machinesOf(annotations map[string]string) string {
	name, namespace := annotations[clusterNameKey], annotations[clusterNamespaceKey]
	if name == "" || namespace == "" {
		return ""
	}
	return shared(errtext.Bounded(namespace+"/"+name, 2*mostOfName))
}
