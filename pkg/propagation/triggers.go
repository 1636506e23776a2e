package propagation

import (
	"reflect"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/policy"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

// triggers turn what is told of the host, of the members and of the objects in them into items.
type triggers struct {
	log       logr.Logger
	types     *typeSet
	work      *worklist
	inventory fleet.Inventory
	members   *memberSet
	// changes are what was last acted on of each cluster.
	changes fleet.Changes
	// interval is how long what only the status tells is put off.
	interval time.Duration
	// recordsVersions says that KubeFed's records repeat the versions of members' objects.
	recordsVersions bool
	// selected says whether any policy changes a federated object.
	selected func(t *runningType, fed *federated) bool
	// lookAtPolicies has the policies' statuses looked at.
	lookAtPolicies func()
	// rightsChanged is told of a type that can be read in a member again, or no longer.
	rightsChanged func(typeName string)
	// autoscalers are those of the members.
	autoscalers *autoscalers
	// namespaceThere is told of a namespace that has appeared in a member.
	namespaceThere func(cluster string)
}

// federatedChanged is called when a federated object differs from what was known of it.
func (g *triggers) federatedChanged(t *runningType, key types.NamespacedName, before, after *federated) {
	if g.lookAtPolicies != nil {
		g.lookAtPolicies()
	}
	if before != nil && after != nil && before.asksTheSame(after) {
		acc := t.account(key)
		if reflect.DeepEqual(before.Status, after.Status) || acc != nil && acc.isEcho(after) {
			return
		}
	}
	g.work.decide(t, key)
}

// namespaceChanged is called when a FederatedNamespace bounds otherwise what is in its namespace.
func (g *triggers) namespaceChanged(namespace string) {
	for _, t := range g.types.all() {
		if !t.Target.Namespaced {
			continue
		}
		for _, key := range t.federated.Keys(namespace) {
			g.work.decide(t, key)
		}
	}
}

// policyChanged is called when a policy is another one now, has come or gone.
func (g *triggers) policyChanged(before, after *policy.Policy) {
	g.decideThose(func(t *runningType, fed *federated) bool {
		object := objectOf(t, fed)
		return before != nil && before.Selects(object) || after != nil && after.Selects(object)
	})
}

// factsChanged is called when something is new that policies may depend on.
func (g *triggers) factsChanged() { g.decideThose(g.selected) }

func (g *triggers) decideThose(concerned func(t *runningType, fed *federated) bool) {
	for _, t := range g.types.all() {
		for _, key := range t.federated.Keys("") {
			if fed := t.federated.Get(key); fed != nil && concerned(t, fed) {
				g.work.decide(t, key)
			}
		}
	}
}

// clusterChanged is called when a cluster comes, goes, is relabelled, or
// becomes ready or unready: every placement may differ then.
func (g *triggers) clusterChanged(name string) {
	if name == "" { // which clusters there are is known now
		g.reconsiderAll()
		return
	}
	change := g.changes.Of(g.inventory, name)
	if change.RightsRenewed {
		g.retry(name)
	}
	if !change.Matters {
		return // a new message alone changes no placement
	}
	if change.Recovered {
		g.members.Relist(name) // no drift survives an outage
		g.autoscalers.members.Relist(name)
	}
	for _, t := range g.types.all() {
		g.work.decideAll(t)
		g.releaseLeft(t, name) // it may have been listed before it counted as ready
	}
}

// retry queues what has failed in a cluster, whose next try may be minutes away.
func (g *triggers) retry(cluster string) {
	for _, t := range g.types.all() {
		for _, key := range t.federated.Keys("") {
			failed := false
			if acc := t.account(key); acc != nil {
				acc.keep(func(l *ledger.Ledger) { failed = l.Retrying(cluster) })
			}
			if failed {
				g.work.backoff.Forget(memberItem(t, key, cluster))
				g.work.carryOut(t, key, cluster)
			}
		}
		g.releaseLeft(t, cluster)
	}
}

// reconsider queues all of a type: what it takes to decide has just become known.
func (g *triggers) reconsider(t *runningType) {
	g.work.decideAll(t)
	for _, info := range g.inventory.Clusters() {
		g.releaseLeft(t, info.Name)
	}
}

// reconsiderAll is reconsider for every type.
func (g *triggers) reconsiderAll() {
	for _, t := range g.types.all() {
		g.reconsider(t)
	}
}

// releaseLeft queues what bears our label in a member without a federated object.
func (g *triggers) releaseLeft(t *runningType, cluster string) {
	_, watch := g.members.Get(cluster, t.Name)
	if watch == nil || !t.federated.Synced() {
		return
	}
	for _, target := range watch.Keys("") {
		if key := t.federatedKey(target); t.federated.Get(key) == nil {
			g.work.carryOut(t, key, cluster)
		}
	}
}

// memberListed is called when a member's objects of a type have been listed.
func (g *triggers) memberListed(cluster, typeName string) {
	t := g.types.get(typeName)
	if t == nil {
		return
	}
	g.log.V(1).Info("Listed the managed objects of a member cluster", "cluster", cluster, "type", typeName)
	g.work.decideAll(t)
	g.releaseLeft(t, cluster)
}

// memberTroubled is called when what is known of a member's objects of a type begins to
// be out of date, and when it no longer is: the statuses have to say so.
func (g *triggers) memberTroubled(typeName string) {
	if t := g.types.get(typeName); t != nil {
		g.work.decideAll(t)
	}
}

// versionReturned is called when a member serves versions of a type again in whose place
// another one was used.
func (g *triggers) versionReturned(cluster string) {
	for _, t := range g.types.all() {
		g.rewrite(t, func(l *ledger.Ledger) bool { return l.Returned(cluster) })
	}
}

// autoscalersChanged is called when others scale an object in a member than before. One that comes
// and goes all the time is not answered each time; what is written meanwhile asks by itself.
func (g *triggers) autoscalersChanged(namespace string, target autoscaler.Target) {
	for _, t := range g.types.all() {
		key := types.NamespacedName{Namespace: namespace, Name: target.Name}
		if t.Target.GVK.GroupKind() == target.GroupKind && t.federated.Get(t.federatedKey(key)) != nil {
			g.work.decideAfter(t, t.federatedKey(key), g.interval)
		}
	}
}

// autoscalersKnown is called when all autoscalers of a kind in a member are known, and when
// they no longer are. Of each one there is, autoscalersChanged is told; so what is left are
// the objects of which something else was said, or may have to be.
func (g *triggers) autoscalersKnown(cluster string) {
	for _, t := range g.types.all() {
		if !g.autoscalers.follows(t.Name) {
			continue
		}
		_, watch := g.members.Get(cluster, t.Name)
		for _, key := range t.federated.Keys("") {
			known, acc := watch.Get(t.TargetKey(key)), t.account(key)
			if known != nil && known.Scaled || acc != nil && acc.scaling.Load().concerns(cluster) {
				g.work.decide(t, key)
			}
		}
	}
}

// schemaChanged is called when a member may know fields of a resource by now that it did not.
func (g *triggers) schemaChanged(cluster string, resource schema.GroupResource) {
	for _, t := range g.types.all() {
		if t.Target.GVR.GroupResource() == resource {
			g.rewrite(t, func(l *ledger.Ledger) bool { return l.Relearned(cluster) })
		}
	}
}

// rewrite queues the objects of a type of which something is to be written anew.
func (g *triggers) rewrite(t *runningType, is func(l *ledger.Ledger) bool) {
	for _, key := range t.federated.Keys("") {
		decide := false
		if acc := t.account(key); acc != nil {
			acc.keep(func(l *ledger.Ledger) { decide = is(l) })
		}
		if decide {
			g.work.decide(t, key)
		}
	}
}

// memberChanged is called when a member's object differs from what was known of it.
func (g *triggers) memberChanged(cluster, typeName string, target types.NamespacedName, before, after *live) {
	t := g.types.get(typeName)
	if t == nil {
		return
	}
	if t.IsNamespace && before == nil && after != nil {
		g.namespaceThere(cluster)
		g.namespaceUsable(cluster, target.Name)
	}
	key := t.federatedKey(target)
	if t.federated.Get(key) != nil {
		if wait, news := g.news(before, after); news {
			g.work.decideAfter(t, key, wait)
		}
		if acc := t.account(key); acc != nil {
			expected := false
			acc.keep(func(l *ledger.Ledger) { expected = l.Seen(cluster, sightingOf(after, t.leavesReplicas(key, cluster))) })
			if expected {
				return
			}
		}
	}
	g.work.carryOut(t, key, cluster)
}

// news says whether the status of the federated object has to say something else of a
// member's object now, and how long that is put off.
func (g *triggers) news(before, after *live) (wait time.Duration, news bool) {
	both := before != nil && after != nil
	switch {
	case both && (!before.saysLikeButHealth(after) || before.judgement().Status != after.judgement().Status),
		g.recordsVersions && before.recorded() != after.recorded():
		return g.interval, true
	case both && !before.saysLike(after):
		return max(g.interval, detailInterval), true
	}
	return 0, false
}

// memberDeleted is called when a member's watch tells that an object of a kind that ends by
// itself was deleted, before that is known of the object.
func (g *triggers) memberDeleted(cluster, typeName string, target types.NamespacedName, last *live) {
	t := g.types.get(typeName)
	if t == nil {
		return
	}
	key := t.federatedKey(target)
	if acc := t.account(key); acc != nil {
		acc.keep(func(l *ledger.Ledger) { l.Deleted(cluster, sightingOf(last, t.leavesReplicas(key, cluster))) })
	}
}

// namespaceUsable releases the objects that wait for their namespace in a member, or for
// the right to write there.
func (g *triggers) namespaceUsable(cluster, namespace string) {
	for _, t := range g.types.all() {
		if !t.Target.Namespaced {
			continue
		}
		for _, key := range t.federated.Keys(namespace) {
			g.work.carryOut(t, key, cluster)
		}
	}
}
