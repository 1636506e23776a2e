package schedule

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// settle is how long the changes of a member's workload are gathered: each pod
// that becomes ready is one.
const settle = 200 * time.Millisecond

func (s *Scheduler) enqueue(key types.NamespacedName) {
	s.queue.Add(reconcile.Request{NamespacedName: key})
}

// enqueueKnown queues the preference of a federated object, if there is one.
func (s *Scheduler) enqueueKnown(key types.NamespacedName) {
	if s.preferences.Get(key) != nil {
		s.enqueue(key)
	}
}

// enqueueSoon queues the preference of a member's workload, if it is about it.
func (s *Scheduler) enqueueSoon(key types.NamespacedName, typeName string) {
	s.mu.Lock()
	wanted := s.wants[key] == typeName
	s.mu.Unlock()
	if wanted {
		s.queue.AddAfter(reconcile.Request{NamespacedName: key}, settle)
	}
}

// enqueueNamespace queues the preferences of a namespace.
func (s *Scheduler) enqueueNamespace(namespace string) {
	for _, key := range s.preferences.Keys() {
		if key.Namespace == namespace {
			s.enqueue(key)
		}
	}
}

// enqueueType queues the preferences that need a type.
func (s *Scheduler) enqueueType(name string) {
	s.mu.Lock()
	var keys []types.NamespacedName
	for key, typeName := range s.wants {
		if typeName == name {
			keys = append(keys, key)
		}
	}
	s.mu.Unlock()
	for _, key := range keys {
		s.enqueue(key)
	}
}

// enqueueAll queues all preferences, and those that have been forgotten about.
func (s *Scheduler) enqueueAll() {
	s.mu.Lock()
	preferences := s.preferences
	var keys []types.NamespacedName
	for key := range s.wants {
		keys = append(keys, key)
	}
	s.mu.Unlock()
	if preferences == nil {
		return // not the leader yet
	}
	for _, key := range append(keys, preferences.Keys()...) {
		s.enqueue(key)
	}
}
