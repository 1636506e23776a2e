package propagation

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// namespaceStore holds the FederatedNamespaces of the host cluster for the
// placement of what is in their namespaces. It is apart from the type
// "namespaces", because that type's own propagation may be switched off.
type namespaceStore struct {
	host *hostClient
	// onChange is told the namespace whose FederatedNamespace bounds otherwise now;
	// onSynced that all have been listed.
	onChange func(namespace string)
	onSynced func()

	mu       sync.RWMutex
	resource typeconfig.Resource
	store    federatedStore
	watch    *fleet.Watch[federated]
}

// ensure starts the watch on a resource, once; another resource replaces it.
func (n *namespaceStore) ensure(ctx context.Context, resource typeconfig.Resource) {
	if resource == (typeconfig.Resource{}) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.resource == resource {
		return
	}
	if n.watch != nil {
		n.watch.Stop()
	}
	n.resource = resource
	n.store = newFederatedStore(n.changed, n.onSynced)
	n.watch = fleet.Follow(ctx, n.host.source(resource), n.store.Table)
}

func (n *namespaceStore) changed(key types.NamespacedName, before, after *federated) {
	if key.Namespace == key.Name && (before == nil || after == nil || before.UID != after.UID || !sameBounds(before, after)) {
		n.onChange(key.Namespace)
	}
}

// sameBounds says whether two versions of a FederatedNamespace mean the same to what is
// in the namespace: one whose placement cannot be read stops it, for a reason that is told.
func sameBounds(a, b *federated) bool {
	if a.placementUnknown() || b.placementUnknown() {
		return a.intent.Revision() == b.intent.Revision()
	}
	return a.intent.BoundsRevision() == b.intent.BoundsRevision()
}

// get returns a namespace's FederatedNamespace, nil if there is none. It is not
// known as long as they have not been listed, or another resource is watched by
// now; with no resource at all there are none.
func (n *namespaceStore) get(resource typeconfig.Resource, namespace string) (fed *federated, known bool) {
	if resource == (typeconfig.Resource{}) {
		return nil, true
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.resource != resource || !n.store.Synced() {
		return nil, false
	}
	return n.store.Get(types.NamespacedName{Namespace: namespace, Name: namespace}), true
}

// all are the FederatedNamespaces that stand for a namespace; they are not known as long as
// they have not been listed.
func (n *namespaceStore) all() (list []*federated, known bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.resource == (typeconfig.Resource{}) || !n.store.Synced() {
		return nil, false
	}
	for _, key := range n.store.Keys("") {
		if fed := n.store.Get(key); fed != nil && key.Namespace == key.Name {
			list = append(list, fed)
		}
	}
	return list, true
}
