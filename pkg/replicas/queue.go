package replicas

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// settle is how long the changes of a member's workload are gathered: each pod
// that becomes ready is one.
const settle = 200 * time.Millisecond

func (c *Controller) enqueue(key types.NamespacedName) {
	c.queue.Add(reconcile.Request{NamespacedName: key})
}

// enqueueKnown queues the preference of a federated object, if there is one.
func (c *Controller) enqueueKnown(key types.NamespacedName) {
	if c.preferences.Get(key) != nil {
		c.enqueue(key)
	}
}

// enqueueSoon queues the preference of a member's workload, if it is about it.
func (c *Controller) enqueueSoon(key types.NamespacedName, typeName string) {
	c.mu.Lock()
	wanted := c.wants[key] == typeName
	c.mu.Unlock()
	if wanted {
		c.queue.AddAfter(reconcile.Request{NamespacedName: key}, settle)
	}
}

// LookAgain has the preference of a federated object of a type looked at again, if there is
// one: its status says otherwise whose the replicas are.
func (c *Controller) LookAgain(typeName string, key types.NamespacedName) {
	c.enqueueSoon(key, typeName)
}

// Schedules says whether a preference shares out the replicas of a federated object of a type.
func (c *Controller) Schedules(typeName string, key types.NamespacedName) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wants[key] == typeName
}

// enqueueNamespace queues the preferences of a namespace.
func (c *Controller) enqueueNamespace(namespace string) {
	for _, key := range c.preferences.Keys(namespace) {
		c.enqueue(key)
	}
}

// enqueueType queues the preferences that need a type.
func (c *Controller) enqueueType(name string) {
	c.mu.Lock()
	var keys []types.NamespacedName
	for key, typeName := range c.wants {
		if typeName == name {
			keys = append(keys, key)
		}
	}
	c.mu.Unlock()
	for _, key := range keys {
		c.enqueue(key)
	}
}

// enqueueAll queues all preferences, and those that have been forgotten about.
func (c *Controller) enqueueAll() {
	c.mu.Lock()
	preferences := c.preferences
	var keys []types.NamespacedName
	for key := range c.wants {
		keys = append(keys, key)
	}
	c.mu.Unlock()
	if preferences == nil {
		return // not the leader yet
	}
	for _, key := range append(keys, preferences.Keys("")...) {
		c.enqueue(key)
	}
}
