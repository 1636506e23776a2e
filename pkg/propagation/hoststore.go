package propagation

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/fedctl/fedctl/pkg/federate"
)

// hostObject is a federated object as the host cluster last told it. It is
// replaced, never changed.
type hostObject struct {
	fed             *federate.Object
	invalid         *federate.ParseError // why fed could not be read whole; it holds what could be read
	resourceVersion string
	finalizers      []string
	deletedAt       time.Time // zero: it is not being deleted
}

// placementUnknown says whether it cannot be told which clusters are meant.
func (a *hostObject) placementUnknown() bool { return a.invalid != nil && a.invalid.Status == "" }

// sameIntent says whether b asks for the same as a: all but the status.
func (a *hostObject) sameIntent(b *hostObject) bool {
	return a.fed.UID == b.fed.UID &&
		a.fed.Generation == b.fed.Generation &&
		a.fed.Deleting == b.fed.Deleting &&
		a.fed.Orphan == b.fed.Orphan &&
		reflect.DeepEqual(a.fed.DeleteOptions, b.fed.DeleteOptions) &&
		reflect.DeepEqual(a.fed.DeleteOptionsError, b.fed.DeleteOptionsError) &&
		slices.Equal(a.finalizers, b.finalizers)
}

// hostStore holds the federated objects of one type. A reflector fills it.
type hostStore struct {
	onChange func(key types.NamespacedName, before, after *hostObject)
	onSynced func()

	mu          sync.RWMutex
	objects     map[types.NamespacedName]*hostObject
	byNamespace map[string]map[string]struct{}
	synced      bool
}

var _ cache.ReflectorStore = &hostStore{}

func newHostStore(onChange func(types.NamespacedName, *hostObject, *hostObject), onSynced func()) *hostStore {
	return &hostStore{
		onChange:    onChange,
		onSynced:    onSynced,
		objects:     map[types.NamespacedName]*hostObject{},
		byNamespace: map[string]map[string]struct{}{},
	}
}

// Get returns an object, nil if there is none.
func (s *hostStore) Get(key types.NamespacedName) *hostObject {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects[key]
}

// Synced says whether the objects have been listed.
func (s *hostStore) Synced() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.synced
}

// Len returns the number of objects.
func (s *hostStore) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.objects)
}

// Keys returns the keys of all objects, or of those in one namespace.
func (s *hostStore) Keys(namespace string) []types.NamespacedName {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var keys []types.NamespacedName
	if namespace != "" {
		for name := range s.byNamespace[namespace] {
			keys = append(keys, types.NamespacedName{Namespace: namespace, Name: name})
		}
		return keys
	}
	keys = make([]types.NamespacedName, 0, len(s.objects))
	for key := range s.objects {
		keys = append(keys, key)
	}
	return keys
}

// Observe records what a write of ours returned: the new version, finalizers and
// status. It does nothing when the object has changed otherwise since.
func (s *hostStore) Observe(key types.NamespacedName, seen *hostObject, resourceVersion string, finalizers []string, status federate.Status) *hostObject {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects[key] != seen {
		return s.objects[key]
	}
	next := *seen
	fed := *seen.fed
	fed.HasFinalizer = slices.Contains(finalizers, federate.Finalizer)
	fed.Status = status
	next.fed, next.resourceVersion, next.finalizers = &fed, resourceVersion, finalizers
	s.objects[key] = &next
	return &next
}

// Add implements cache.ReflectorStore.
func (s *hostStore) Add(obj any) error { return s.put(obj) }

// Update implements cache.ReflectorStore.
func (s *hostStore) Update(obj any) error { return s.put(obj) }

func (s *hostStore) put(obj any) error {
	u, after, err := hostObjectOf(obj)
	if err != nil {
		return err
	}
	key := keyOf(u)
	s.mu.Lock()
	before := s.objects[key]
	s.set(key, after)
	s.mu.Unlock()
	s.onChange(key, before, after)
	return nil
}

func (s *hostStore) set(key types.NamespacedName, object *hostObject) {
	s.objects[key] = object
	names, ok := s.byNamespace[key.Namespace]
	if !ok {
		names = map[string]struct{}{}
		s.byNamespace[key.Namespace] = names
	}
	names[key.Name] = struct{}{}
}

// Delete implements cache.ReflectorStore.
func (s *hostStore) Delete(obj any) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watched federated object is a %T", obj)
	}
	key := keyOf(u)
	s.mu.Lock()
	before := s.objects[key]
	delete(s.objects, key)
	if names := s.byNamespace[key.Namespace]; names != nil {
		delete(names, key.Name)
		if len(names) == 0 {
			delete(s.byNamespace, key.Namespace)
		}
	}
	s.mu.Unlock()
	if before != nil {
		s.onChange(key, before, nil)
	}
	return nil
}

// Replace implements cache.ReflectorStore: a fresh list.
func (s *hostStore) Replace(list []any, _ string) error {
	fresh := make(map[types.NamespacedName]*hostObject, len(list))
	for _, item := range list {
		u, object, err := hostObjectOf(item)
		if err != nil {
			return err
		}
		fresh[keyOf(u)] = object
	}
	s.mu.Lock()
	old := s.objects
	s.objects = make(map[types.NamespacedName]*hostObject, len(fresh))
	s.byNamespace = map[string]map[string]struct{}{}
	for key, object := range fresh {
		s.set(key, object)
	}
	s.synced = true
	s.mu.Unlock()

	for key, object := range fresh {
		s.onChange(key, old[key], object)
	}
	for key, before := range old {
		if fresh[key] == nil {
			s.onChange(key, before, nil)
		}
	}
	s.onSynced()
	return nil
}

// Resync implements cache.ReflectorStore; there is no periodic resync.
func (s *hostStore) Resync() error { return nil }

func hostObjectOf(obj any) (*unstructured.Unstructured, *hostObject, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, nil, fmt.Errorf("watched federated object is a %T", obj)
	}
	h := &hostObject{resourceVersion: u.GetResourceVersion(), finalizers: u.GetFinalizers()}
	if at := u.GetDeletionTimestamp(); at != nil {
		h.deletedAt = at.Time
	}
	fed, err := federate.Parse(u)
	h.fed = fed
	if err != nil && !errors.As(err, &h.invalid) {
		return nil, nil, err
	}
	return u, h, nil
}
