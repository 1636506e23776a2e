package propagation

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// namespaceStore holds the FederatedNamespaces of the host cluster for the
// placement of what is in their namespaces. It is apart from the type
// "namespaces", because that type's own propagation may be switched off.
type namespaceStore struct {
	mu       sync.RWMutex
	resource typeconfig.Resource
	store    hostStore
	watch    *fleet.Watch[hostObject]
}

// ensure starts the watch on a resource, once; another resource replaces it.
func (n *namespaceStore) ensure(e *Engine, resource typeconfig.Resource) {
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
	n.store = newHostStore(
		func(key types.NamespacedName, before, after *hostObject) {
			if key.Namespace == key.Name && (before == nil || after == nil || before.fed.Generation != after.fed.Generation || before.fed.UID != after.fed.UID) {
				e.enqueueNamespace(key.Namespace)
			}
		},
		e.reconsiderAll)
	n.watch = fleet.Follow(e.ctx, e.hostSource(resource), n.store.Table)
}

// get returns a namespace's FederatedNamespace, nil if there is none. It is not
// known as long as they have not been listed, or another resource is watched by
// now; with no resource at all there are none.
func (n *namespaceStore) get(resource typeconfig.Resource, namespace string) (object *hostObject, known bool) {
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

// enqueueNamespace queues all federated objects of a namespace: its FederatedNamespace has changed.
func (e *Engine) enqueueNamespace(namespace string) {
	for _, t := range e.runningTypes() {
		if !t.Target.Namespaced {
			continue
		}
		for _, key := range t.host.Keys(namespace) {
			e.queue.Add(Item{Type: t.Name, Object: key})
		}
	}
}
