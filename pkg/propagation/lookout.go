package propagation

import (
	"k8s.io/apimachinery/pkg/types"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// lookout gathers what is known of the member clusters and of the objects in them, as
// a ledger asks for it. All of it is read from memory.
type lookout struct {
	inventory fleet.Inventory
	members   *memberSet
	bindings  *bindings
}

// situations are all joined clusters, by name, as a decision about a federated object
// finds them. selected are names in the same order.
func (o *lookout) situations(t *runningType, key types.NamespacedName, selected []string) []ledger.Situation {
	infos := o.inventory.Clusters()
	list := make([]ledger.Situation, 0, len(infos))
	for i := range infos {
		for len(selected) > 0 && selected[0] < infos[i].Name {
			selected = selected[1:]
		}
		s, _ := o.situation(t, key, infos[i])
		s.Selected = len(selected) > 0 && selected[0] == s.Name
		list = append(list, s)
	}
	return list
}

// situation is one cluster as a decision finds it, and what its watch knows of the
// object; nil: of none.
func (o *lookout) situation(t *runningType, key types.NamespacedName, info membership.Info) (ledger.Situation, *live) {
	sighting, known := o.look(t, key, info.Name)
	return ledger.Situation{
		Cluster: ledger.Cluster{
			Name: info.Name, Ready: info.Ready, Probed: info.Probed, Reason: info.Reason,
			Keeps:      t.IsNamespace && info.Host, // namespaces of the host are not ours to delete
			Membership: membershipOf(info), Joined: info.Joined, Prune: info.Prune,
		},
		Sighting: sighting,
	}, known
}

// membershipOf tells one membership from another, in a few characters: the status of every
// object has it.
func membershipOf(info membership.Info) string { return ledger.MembershipOf(info.UID) }

// look returns what the watch on a cluster shows of a federated object.
func (o *lookout) look(t *runningType, key types.NamespacedName, cluster string) (ledger.Sighting, *live) {
	_, watch := o.members.Get(cluster, t.Name)
	known, listed := watch.Look(t.TargetKey(key))
	s := sightingOf(known, t.leavesReplicas(key, cluster))
	s.Listed, s.Unserved, s.Undefined = listed, watch.Unserved(), watch.Undefined()
	if err := watch.Problem(); err != nil {
		s.Problem = errtext.InMember(err, cluster)
	}
	return s, known
}

// sightingOf is what is known of an object alone; nil: there is none. retained: its
// replicas are the member's.
func sightingOf(known *live, retained bool) ledger.Sighting {
	if known == nil {
		return ledger.Sighting{}
	}
	s := sightingOfLive(&known.Live)
	s.Foreign, s.Ended = known.says(retained), known.ended
	return s
}

// sightingOfLive is what an applier knows of an object.
func sightingOfLive(known *member.Live) ledger.Sighting {
	if known == nil {
		return ledger.Sighting{}
	}
	return ledger.Sighting{
		Shown: true, UID: known.UID, Version: known.ResourceVersion(), Owned: known.Owned,
		Managed: known.Managed, Deleting: known.Deleting, Replaced: known.Replaced, Trace: traceOf(known),
	}
}

func traceOf(known *member.Live) ledger.Trace {
	return ledger.Trace{Version: known.Version, Writers: known.Writers, Content: known.Content}
}

// namespace is the state of an object's namespace in a cluster. It has an item of its
// own if its FederatedNamespace is propagated.
func (o *lookout) namespace(t *runningType, target types.NamespacedName, info membership.Info) ledger.Namespace {
	if !t.Target.Namespaced || info.Host {
		return ledger.NamespaceThere
	}
	_, watch := o.members.Get(info.Name, fedcommon.NamespaceName)
	if !watch.Synced() {
		return ledger.NamespaceThere // nobody knows; the API server's own answer says
	}
	namespace := watch.Get(types.NamespacedName{Name: target.Namespace})
	switch {
	case namespace == nil:
		return ledger.NamespaceMissing
	case namespace.Deleting:
		return ledger.NamespaceLeaving
	}
	return ledger.NamespaceThere
}

// lacking says why we may not write in an object's namespace in a cluster yet; empty if
// nothing is known to be in the way.
func (o *lookout) lacking(t *runningType, target types.NamespacedName, info membership.Info) string {
	if !t.Target.Namespaced {
		return ""
	}
	return o.bindings.lacking(info, target.Namespace)
}
