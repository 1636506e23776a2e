package propagation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/accelerator"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/policy"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// policyResources are the policies there are; those of namespaces first.
var policyResources = []typeconfig.Resource{
	resourceOf(policyv1alpha1.GroupVersion, policy.KindOverridePolicy, "overridepolicies", true),
	resourceOf(policyv1alpha1.GroupVersion, policy.KindClusterOverridePolicy, "clusteroverridepolicies", false),
}

var capacityResource = resourceOf(clusterv1alpha1.GroupVersion, "ClusterCapacity", "clustercapacities", true)

func resourceOf(gv schema.GroupVersion, kind, plural string, namespaced bool) typeconfig.Resource {
	return typeconfig.Resource{GVR: gv.WithResource(plural), GVK: gv.WithKind(kind), Namespaced: namespaced}
}

// policyStore holds the policies of the host cluster, and what rules are about: the member
// clusters and what their nodes offer. Without policies it costs nothing.
type policyStore struct {
	host      *hostClient
	inventory fleet.Inventory
	// kubeFedNamespace is where the ClusterCapacities are; limited, that there is no other.
	kubeFedNamespace string
	limited          bool
	// onPolicy is told that one of two versions of a policy, either may be nil, is another
	// now; onFacts that rules may depend on something new; onSynced that policies have
	// become known.
	onPolicy func(before, after *policy.Policy)
	onFacts  func()
	onSynced func()

	tables     []*fleet.Table[storedPolicy]
	watches    []*fleet.Watch[storedPolicy]
	capacities *fleet.Table[clusterv1alpha1.ClusterCapacity]
	mu         sync.RWMutex
	policies   []*policy.Policy // sorted
	fleet      *policy.Fleet    // nil: to be gathered anew
	epoch      uint64           // another one for other policies or clusters
	// changes holds one when the statuses of policies are to be looked at.
	changes chan struct{}
}

// storedPolicy is a policy as the host holds it.
type storedPolicy struct {
	uid        types.UID
	generation int64
	status     policyv1alpha1.OverridePolicyStatus
	resource   typeconfig.Resource
	compiled   *policy.Policy
}

func newPolicyStore(host *hostClient, inventory fleet.Inventory, opts Options) *policyStore {
	p := &policyStore{
		host: host, inventory: inventory, kubeFedNamespace: opts.KubeFedNamespace, limited: opts.TargetNamespace != "",
		changes: make(chan struct{}, 1),
	}
	p.capacities = fleet.NewTable(fleet.Rules[clusterv1alpha1.ClusterCapacity]{
		Read: accelerator.ReadCapacity,
		OnChange: func(_ types.NamespacedName, before, after *clusterv1alpha1.ClusterCapacity) {
			if policy.PoolsRevision(before) != policy.PoolsRevision(after) {
				p.factsChanged()
			}
		},
		OnSynced: p.factsChanged,
	})
	return p
}

// follow begins to read policies and capacities; both end with ctx.
func (p *policyStore) follow(ctx context.Context) {
	resources := policyResources
	if p.limited { // one namespace has no say in what is for all
		resources = resources[:1]
	}
	tables := make([]*fleet.Table[storedPolicy], len(resources))
	for i, resource := range resources {
		tables[i] = fleet.NewTable(fleet.Rules[storedPolicy]{
			Read: func(obj metav1.Object) (*storedPolicy, error) { return readPolicy(obj, resource) },
			Same: func(before, after *storedPolicy) bool {
				return before.uid == after.uid && before.generation == after.generation
			},
			OnChange: p.policyChanged, OnSynced: p.policiesListed,
		})
	}
	p.mu.Lock()
	p.tables = tables
	p.mu.Unlock()
	watches := make([]*fleet.Watch[storedPolicy], len(resources))
	for i, resource := range resources {
		source := p.host.optional(resource, p.host.namespace)
		source.OnTrouble = p.onSynced
		watches[i] = fleet.Follow(ctx, source, tables[i])
	}
	p.mu.Lock()
	p.watches = watches
	p.mu.Unlock()
	fleet.Follow(ctx, p.host.optional(capacityResource, p.kubeFedNamespace), p.capacities)
}

func readPolicy(obj metav1.Object, resource typeconfig.Resource) (*storedPolicy, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, errors.New("a policy is no object")
	}
	stored := &storedPolicy{uid: u.GetUID(), generation: u.GetGeneration(), resource: resource}
	stored.compiled, stored.status = policy.Read(u)
	return stored, nil
}

// policyChanged has what a policy selects, or has selected, decided anew.
func (p *policyStore) policyChanged(_ types.NamespacedName, before, after *storedPolicy) {
	defer p.lookAtStatuses()
	var old, now *policy.Policy
	if before != nil {
		old = before.compiled
	}
	if after != nil {
		now = after.compiled
	}
	if old == now || old != nil && now != nil && old.Revision() == now.Revision() {
		return
	}
	p.gather()
	p.onPolicy(old, now)
}

func (p *policyStore) policiesListed() {
	p.gather()
	p.onSynced()
	p.lookAtStatuses()
}

// gather sorts the policies there are.
func (p *policyStore) gather() {
	var all []*policy.Policy
	for _, stored := range p.stored() {
		all = append(all, stored.compiled)
	}
	policy.Sort(all)
	p.mu.Lock()
	p.policies, p.fleet = all, nil // it remembers what rules see that may be gone
	p.epoch++
	p.mu.Unlock()
}

// stored are all policies, by key; the tables' keys are unique together, since those of one
// kind have no namespace.
func (p *policyStore) stored() map[types.NamespacedName]*storedPolicy {
	p.mu.RLock()
	tables := p.tables
	p.mu.RUnlock()
	all := map[types.NamespacedName]*storedPolicy{}
	for _, table := range tables {
		for _, key := range table.Keys("") {
			if stored := table.Get(key); stored != nil {
				all[key] = stored
			}
		}
	}
	return all
}

// informed says whether it is known which policies there are, or why that is not so.
func (p *policyStore) informed() bool {
	if p == nil {
		return true
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, watch := range p.watches {
		if !watch.Synced() && watch.Problem() == nil {
			return false
		}
	}
	return len(p.watches) > 0
}

// problem says why it is not known which policies there are; empty if it is.
func (p *policyStore) problem() string {
	if p == nil {
		return ""
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for i, watch := range p.watches {
		if problem := watch.Problem(); problem != nil && !watch.Synced() {
			return fmt.Sprintf("the %s cannot be read, and nothing is sent without them: %s; \"fedctl install\" gives the rights", policyResources[i].GVR.Resource, errtext.Stable(problem))
		}
	}
	return ""
}

// factsChanged has the clusters gathered anew.
func (p *policyStore) factsChanged() {
	p.forgetClusters()
	p.mu.RLock()
	some := len(p.policies) > 0
	p.mu.RUnlock()
	if some {
		p.onFacts()
	}
}

// clusterChanged is called when something is new of a cluster: what rules may depend on
// is gathered anew if it is one of those. Whoever is told of it as well decides anew.
func (p *policyStore) clusterChanged(name string) {
	info, joined := p.inventory.Info(name)
	p.mu.RLock()
	all := p.fleet
	p.mu.RUnlock()
	if all == nil { // it may be gathered just now, by what was so before
		p.forgetClusters()
		return
	}
	known, had := all.Cluster(name)
	if !had || !joined || !maps.Equal(info.Labels, known.Labels) {
		p.forgetClusters()
	}
}

// versionChanged is called when something is new of a cluster's facts, of which policies know
// the version alone.
func (p *policyStore) versionChanged(name string) {
	facts, _ := p.inventory.Facts(name)
	p.mu.RLock()
	all := p.fleet
	p.mu.RUnlock()
	if all != nil {
		if known, had := all.Cluster(name); had && known.KubernetesVersion == facts.KubernetesVersion {
			return
		}
	}
	p.factsChanged()
}

func (p *policyStore) forgetClusters() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fleet = nil
	p.epoch++
	p.lookAtStatuses() // they tell what rules name that there is none of
}

// unmatched is what a policy names that is no kind of a type, and that no cluster has.
func (p *policyStore) unmatched(of *policy.Policy, running *typeSet) []string {
	if !p.inventory.Synced() || of.Problem() != nil {
		return nil
	}
	var kinds []schema.GroupKind
	for _, t := range running.all() {
		kinds = append(kinds, t.Target.GVK.GroupKind())
	}
	p.mu.RLock()
	known := p.fleet
	p.mu.RUnlock()
	if known == nil {
		known, _ = p.gatherClusters()
	}
	return slices.Concat(of.UnmatchedKinds(kinds), known.Unmatched(of))
}

// changedIntent is what the policies of an epoch make of an object's intent.
type changedIntent struct {
	mu     sync.Mutex
	epoch  uint64 // 0: of none
	intent federate.Intent
}

// changed is the intent of a federated object as the policies make it.
func (p *policyStore) changed(t *runningType, fed *federated) federate.Intent {
	p.mu.RLock()
	policies, known, epoch := p.policies, p.fleet, p.epoch
	p.mu.RUnlock()
	if len(policies) == 0 || fed.Deleting {
		return fed.intent
	}
	if known == nil {
		known, epoch = p.gatherClusters()
	}
	fed.changed.mu.Lock()
	defer fed.changed.mu.Unlock()
	if fed.changed.epoch != epoch {
		layers := policy.Layers(policies, objectOf(t, fed), fed.Template, known)
		fed.changed.intent, fed.changed.epoch = fed.intent.Beneath(layers...), epoch
	}
	return fed.changed.intent
}

// state is another one for other policies, kinds or clusters.
func (p *policyStore) state() uint64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.epoch
}

// selected says whether any policy changes a federated object.
func (p *policyStore) selected(t *runningType, fed *federated) bool {
	p.mu.RLock()
	policies := p.policies
	p.mu.RUnlock()
	object := objectOf(t, fed)
	return slices.ContainsFunc(policies, func(one *policy.Policy) bool { return one.Selects(object) })
}

// objectOf is what policies select a federated object by.
func objectOf(t *runningType, fed *federated) policy.Object {
	return policy.NewObject(t.kinds.get(), t.Target.GVK.GroupKind(), fed.Namespace, fed.Name, fed.Labels)
}

func (p *policyStore) gatherClusters() (known *policy.Fleet, epoch uint64) {
	p.mu.RLock()
	epoch = p.epoch
	p.mu.RUnlock()
	clusters := policy.Clusters{}
	for _, info := range p.inventory.Clusters() {
		capacity := p.capacities.Get(types.NamespacedName{Namespace: p.kubeFedNamespace, Name: info.Name})
		facts, _ := p.inventory.Facts(info.Name)
		clusters[info.Name] = policy.ClusterOf(info.Labels, facts.KubernetesVersion, capacity)
	}
	known = policy.NewFleet(clusters)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch == epoch { // otherwise there is something new meanwhile, and who is told of it asks again
		p.fleet = known
	}
	return known, epoch
}
