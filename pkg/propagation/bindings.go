package propagation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// bindings keep the right to write where members give it by namespace: a RoleBinding in
// each namespace that the federation places there. Each member has a goroutine of its own
// for that. Of other members nothing is asked.
type bindings struct {
	log        logr.Logger
	inventory  fleet.Inventory
	namespaces *namespaceStore
	members    *memberSet
	types      *typeSet
	timeout    time.Duration
	// onBound is told of a namespace in a member in which we may write from now on.
	onBound func(cluster, namespace string)

	// changes are what was last acted on of each cluster.
	changes fleet.Changes

	mu      sync.Mutex
	binders map[string]*binder

	placing sync.Mutex
	// placed is what all members are to have by the placements, nil when that has to be
	// found out anew.
	placed *placedNamespaces
}

// placedNamespaces are the namespaces that are placed in each member that gives rights by
// namespace, and those of which it is not known where they are.
type placedNamespaces struct {
	in      map[string]map[string]bool
	unknown map[string]bool
}

const (
	// bindingSettle is how long news are waited for that come together.
	bindingSettle = 50 * time.Millisecond
	// bindingRetry is the time before the first try again, and bindingRetryMax the longest.
	bindingRetry, bindingRetryMax = 500 * time.Millisecond, 30 * time.Second
	// leavingInterval is how often it is looked whether a namespace is not used any more.
	leavingInterval = 2 * time.Second
)

// clusterChanged is told of news of a cluster.
func (s *bindings) clusterChanged(name string) {
	if name == "" || s.changes.Of(s.inventory, name).Matters {
		s.changed()
	}
}

// changed is told that namespaces are placed otherwise, or clusters are others.
func (s *bindings) changed() {
	s.placing.Lock()
	s.placed = nil
	s.placing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.binders {
		b.wake()
	}
}

// look has it looked at what is to be bound in a member: a namespace has appeared there, or
// something was refused.
func (s *bindings) look(cluster string) {
	if b := s.binder(cluster); b != nil {
		b.wake()
	}
}

// refused says whether a write of an object in a namespace has failed for lack of a right
// that is to be bound, and has that looked at.
func (s *bindings) refused(t *runningType, info membership.Info, err error) bool {
	if info.NamespaceRights == (types.NamespacedName{}) || !t.Target.Namespaced || !errtext.LacksRight(err) {
		return false
	}
	s.look(info.Name)
	return true
}

func (s *bindings) binder(cluster string) *binder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.binders[cluster]
}

// engage keeps the RoleBindings of a member until ctx ends.
func (s *bindings) engage(ctx context.Context, cluster string, client *memberClient) {
	b := &binder{bindings: s, cluster: cluster, client: client, log: s.log.WithValues("cluster", cluster), news: make(chan struct{}, 1)}
	s.mu.Lock()
	s.binders[cluster] = b
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.binders[cluster] == b {
			delete(s.binders, cluster)
		}
	})
	go b.run(ctx)
}

// lacking says why we may not write in a namespace of a member yet; empty if nothing is
// known to be in the way.
func (s *bindings) lacking(info membership.Info, namespace string) string {
	if info.NamespaceRights == (types.NamespacedName{}) || namespace == "" {
		return ""
	}
	if !reach.MayBind(info.NamespaceRights, namespace) {
		return fmt.Sprintf("the cluster gives rights by namespace, and never in %s", namespace)
	}
	b := s.binder(info.Name)
	if b == nil {
		return ""
	}
	return b.lacking(namespace)
}

// placedIn are the namespaces that are placed in a member; known is false as long as
// nobody can tell.
func (s *bindings) placedIn(cluster string) (placed, unknown map[string]bool, known bool) {
	s.placing.Lock()
	defer s.placing.Unlock()
	if s.placed == nil {
		s.placed = s.place()
	}
	if s.placed == nil {
		return nil, nil, false
	}
	return s.placed.in[cluster], s.placed.unknown, true
}

// place finds out where the namespaces are placed; nil as long as nobody can tell.
func (s *bindings) place() *placedNamespaces {
	all, known := s.namespaces.all()
	if !known || !s.inventory.Synced() {
		return nil
	}
	p := &placedNamespaces{in: map[string]map[string]bool{}, unknown: map[string]bool{}}
	for _, info := range s.inventory.Clusters() {
		if info.NamespaceRights != (types.NamespacedName{}) {
			p.in[info.Name] = map[string]bool{}
		}
	}
	if len(p.in) == 0 {
		return p
	}
	in := fleet.PlacementInput(s.inventory, placement.Spec{})
	for _, fed := range all {
		in.Placement = fed.intent.Bounds.Placement
		decision, err := placement.Decide(in)
		if err != nil || fed.placementUnknown() {
			p.unknown[fed.Namespace] = true
			continue
		}
		for _, cluster := range decision.Clusters {
			if namespaces := p.in[cluster]; namespaces != nil {
				namespaces[fed.Namespace] = true
			}
		}
	}
	return p
}

// usedIn are the namespaces of a member with objects that bear our label; see bindingInput.
func (s *bindings) usedIn(cluster string) (used, owed map[string]bool, known bool) {
	used, owed, known = map[string]bool{}, map[string]bool{}, true
	for _, t := range s.types.all() {
		if !t.Target.Namespaced {
			continue
		}
		_, watch := s.members.Get(cluster, t.Name)
		if !watch.Synced() && !errtext.LacksRight(watch.Problem()) || !t.federated.Synced() {
			known = false
			continue
		}
		for _, target := range watch.Keys("") {
			if object := watch.Get(target); object == nil || !object.Managed {
				continue
			}
			used[target.Namespace] = true
			owed[target.Namespace] = owed[target.Namespace] || t.federated.Get(t.federatedKey(target)) != nil
		}
	}
	for namespace, is := range owed {
		if !is {
			delete(owed, namespace)
		}
	}
	return used, owed, known
}

// there says whether a namespace is in a member, as far as that is known.
func (s *bindings) there(info membership.Info) func(namespace string) bool {
	_, watch := s.members.Get(info.Name, fedcommon.NamespaceName)
	return func(namespace string) bool {
		if info.Host || !watch.Synced() {
			return true // the API server's own answer says
		}
		known := watch.Get(types.NamespacedName{Name: namespace})
		return known != nil && !known.Deleting
	}
}

// roleBindings is the resource of what is kept.
var roleBindings = typeconfig.Resource{
	GVR: rbacv1.SchemeGroupVersion.WithResource("rolebindings"), GVK: rbacv1.SchemeGroupVersion.WithKind("RoleBinding"), Namespaced: true,
}

// bindingSource is what is followed of a member's RoleBindings: those of one name.
func bindingSource(client *memberClient, name string) fleet.Source {
	source := fleet.Objects(client.dynamic, roleBindings, "")
	list, follow := source.List, source.Watch
	selector := "metadata.name=" + name
	source.List = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		options.FieldSelector = selector
		return list(ctx, options)
	}
	source.Watch = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		options.FieldSelector = selector
		return follow(ctx, options)
	}
	return source
}

// roleBinding binds the right to write in a namespace to the account.
func roleBinding(account types.NamespacedName, namespace string) *unstructured.Unstructured {
	name := reach.NamespaceRole(account.Name)
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": rbacv1.SchemeGroupVersion.String(), "kind": "RoleBinding",
		"metadata": map[string]any{"namespace": namespace, "name": name},
		"roleRef":  map[string]any{"apiGroup": rbacv1.GroupName, "kind": "ClusterRole", "name": name},
		"subjects": []any{map[string]any{"kind": rbacv1.ServiceAccountKind, "namespace": account.Namespace, "name": account.Name}},
	}}
}
