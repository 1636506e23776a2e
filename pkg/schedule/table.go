package schedule

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// table keeps what matters of each watched object. A reflector fills it. Values
// are replaced, never changed.
type table[V any] struct {
	// read takes what matters from an object.
	read func(obj any) (*V, error)
	// onChange is told of each event; onSynced, instead, of each list.
	onChange func(key types.NamespacedName, before, after *V)
	onSynced func()

	mu      sync.RWMutex
	objects map[types.NamespacedName]*V
	synced  bool
	closed  bool
}

var _ cache.ReflectorStore = &table[int]{}

// Get returns an object, nil if there is none or nothing is known yet.
func (t *table[V]) Get(key types.NamespacedName) *V {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.objects[key]
}

// Keys returns the keys of all objects.
func (t *table[V]) Keys() []types.NamespacedName {
	t.mu.RLock()
	defer t.mu.RUnlock()
	keys := make([]types.NamespacedName, 0, len(t.objects))
	for key := range t.objects {
		keys = append(keys, key)
	}
	return keys
}

// Synced says whether the objects have been listed.
func (t *table[V]) Synced() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.synced
}

// Observe records what a write of ours made of an object, unless it has changed
// otherwise since it was seen.
func (t *table[V]) Observe(key types.NamespacedName, seen, written *V) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.objects[key] == seen {
		t.objects[key] = written
	}
}

// Close makes the table deaf to a reflector that has been told to end.
func (t *table[V]) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}

// Add implements cache.ReflectorStore.
func (t *table[V]) Add(obj any) error { return t.put(obj) }

// Update implements cache.ReflectorStore.
func (t *table[V]) Update(obj any) error { return t.put(obj) }

func (t *table[V]) put(obj any) error {
	key, after, err := t.entry(obj)
	if err != nil {
		return err
	}
	t.change(key, after)
	return nil
}

// Delete implements cache.ReflectorStore.
func (t *table[V]) Delete(obj any) error {
	key, err := keyOf(obj)
	if err != nil {
		return err
	}
	t.change(key, nil)
	return nil
}

func (t *table[V]) change(key types.NamespacedName, after *V) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	before := t.objects[key]
	if after == nil {
		delete(t.objects, key)
	} else {
		t.objects[key] = after
	}
	t.mu.Unlock()
	t.onChange(key, before, after)
}

// Replace implements cache.ReflectorStore: a fresh list.
func (t *table[V]) Replace(list []any, _ string) error {
	fresh := make(map[types.NamespacedName]*V, len(list))
	for _, obj := range list {
		key, value, err := t.entry(obj)
		if err != nil {
			return err
		}
		fresh[key] = value
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.objects, t.synced = fresh, true
	t.mu.Unlock()
	t.onSynced()
	return nil
}

// Resync implements cache.ReflectorStore; there is no periodic resync.
func (t *table[V]) Resync() error { return nil }

func (t *table[V]) entry(obj any) (types.NamespacedName, *V, error) {
	key, err := keyOf(obj)
	if err != nil {
		return key, nil, err
	}
	value, err := t.read(obj)
	return key, value, err
}

func keyOf(obj any) (types.NamespacedName, error) {
	object, err := meta.Accessor(obj)
	if err != nil {
		return types.NamespacedName{}, fmt.Errorf("watched object is a %T: %w", obj, err)
	}
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}, nil
}
