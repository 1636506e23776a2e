package propagation

import (
	"encoding/json"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// live is what the engine remembers of one target object in one member cluster.
// It is all that is kept: the object itself is never cached.
type live struct {
	member.Live
	remote string // the status as JSON; only for types that collect it
}

// known is what an applier is told of it; nil of none.
func (l *live) known() *member.Live {
	if l == nil {
		return nil
	}
	return &l.Live
}

// memberStore holds one type's managed objects of one member cluster. A memberWatch
// fills it, and one after it goes on; onChange is told of every difference, also of
// those found by listing again after an outage.
//
// What changes it is given ended, which says whether the watch has been ended: it is
// asked under the lock, so that nothing of a watch arrives after Unsync, which follows
// the end.
type memberStore struct {
	collectStatus bool
	onChange      func(key types.NamespacedName, before, after *live)
	onSynced      func()

	mu      sync.RWMutex
	objects map[types.NamespacedName]*live
	seen    uint64 // the newest resource version the watch has delivered
	synced  bool
}

func newMemberStore(collectStatus bool, onChange func(types.NamespacedName, *live, *live), onSynced func()) *memberStore {
	return &memberStore{
		collectStatus: collectStatus,
		onChange:      onChange,
		onSynced:      onSynced,
		objects:       map[types.NamespacedName]*live{},
	}
}

// Get returns what is known of an object, nil if there is none that is labelled.
func (s *memberStore) Get(key types.NamespacedName) *live {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects[key]
}

// Look is Get and Synced at once: whether the list that the answer is of was complete.
func (s *memberStore) Look(key types.NamespacedName) (l *live, synced bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects[key], s.synced
}

// Synced says whether the store holds a complete list, taken since the last Unsync.
func (s *memberStore) Synced() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.synced
}

// Unsync marks the store as possibly out of date until the next list.
func (s *memberStore) Unsync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced = false
}

// Forget drops an object that is known to be gone, or no longer labelled, before
// the watch tells.
func (s *memberStore) Forget(key types.NamespacedName, uid types.UID, ended func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.objects[key]; !ended() && l != nil && l.UID == uid {
		delete(s.objects, key)
	}
}

// Keys returns the keys of all objects.
func (s *memberStore) Keys() []types.NamespacedName {
	s.mu.RLock()
	defer s.mu.RUnlock()
	keys := make([]types.NamespacedName, 0, len(s.objects))
	for key := range s.objects {
		keys = append(keys, key)
	}
	return keys
}

// Observe records an object that a write of ours returned, so that the next
// decision does not depend on how far the watch has got. It changes nothing if
// the watch has already passed that version.
//
// A write that was on its way when its watch was ended, perhaps to another cluster by
// now, tells nothing of what the watch after it follows.
func (s *memberStore) Observe(obj metav1.Object, ended func() bool) *live {
	after := s.liveOf(obj)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended() {
		return after
	}
	key := keyOf(obj)
	before := s.objects[key]
	if after.Version > s.seen && (before == nil || after.Version > before.Version) {
		if before != nil {
			after.remote = before.remote
		}
		s.objects[key] = after
	}
	return after
}

// Put takes in an object that was added or has changed.
func (s *memberStore) Put(obj any, ended func() bool) error {
	accessor, err := meta.Accessor(obj)
	if err != nil {
		return fmt.Errorf("watched object: %w", err)
	}
	key, after := keyOf(accessor), s.liveOf(accessor)

	s.mu.Lock()
	before := s.objects[key]
	stale := ended() || before != nil && before.Version > after.Version
	if !stale {
		s.seen = max(s.seen, after.Version)
		s.objects[key] = after
	}
	s.mu.Unlock()

	if !stale {
		s.onChange(key, before, after)
	}
	return nil
}

// Delete takes out an object that is gone, or has lost the label.
func (s *memberStore) Delete(obj any, ended func() bool) error {
	accessor, err := meta.Accessor(obj)
	if err != nil {
		return fmt.Errorf("watched object: %w", err)
	}
	key, version := keyOf(accessor), parseVersion(accessor.GetResourceVersion())

	s.mu.Lock()
	before := s.objects[key]
	gone := !ended() && before != nil && before.Version <= version
	if gone {
		s.seen = max(s.seen, version)
		delete(s.objects, key)
	}
	s.mu.Unlock()

	if gone {
		s.onChange(key, before, nil)
	}
	return nil
}

// Replace takes in a fresh list. What a write of ours has returned since is newer than
// the list, and stays. That is not so if the store was marked as possibly out of date,
// when it may be of another connection, or if the cluster's versions have gone back,
// as after a restore of its etcd: then the list is all that counts.
func (s *memberStore) Replace(list []any, resourceVersion string, ended func() bool) error {
	fresh := make(map[types.NamespacedName]*live, len(list))
	for _, obj := range list {
		accessor, err := meta.Accessor(obj)
		if err != nil {
			return fmt.Errorf("listed object: %w", err)
		}
		fresh[keyOf(accessor)] = s.liveOf(accessor)
	}
	changes, replaced := s.replace(fresh, parseVersion(resourceVersion), ended)
	for _, c := range changes {
		s.onChange(c.key, c.before, c.after)
	}
	if replaced {
		s.onSynced()
	}
	return nil
}

// difference is what a list has found to be different.
type difference struct {
	key           types.NamespacedName
	before, after *live
}

func (s *memberStore) replace(fresh map[types.NamespacedName]*live, version uint64, ended func() bool) (changes []difference, replaced bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ended() {
		return nil, false
	}
	keep := s.synced && version != 0 && version >= s.seen
	for key, before := range s.objects {
		after := fresh[key]
		switch {
		case keep && before.Version > version:
			fresh[key] = before
		case after == nil:
			changes = append(changes, difference{key, before, nil})
		case *before != *after:
			changes = append(changes, difference{key, before, after})
		}
	}
	for key, after := range fresh {
		if s.objects[key] == nil {
			changes = append(changes, difference{key, nil, after})
		}
	}
	s.objects, s.seen, s.synced = fresh, version, true
	return changes, true
}

// Bookmark takes in how far the watch has come.
func (s *memberStore) Bookmark(resourceVersion string, ended func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ended() {
		s.seen = max(s.seen, parseVersion(resourceVersion))
	}
}

func (s *memberStore) liveOf(obj metav1.Object) *live {
	l := &live{Live: member.LiveOf(obj)}
	if u, ok := obj.(*unstructured.Unstructured); ok && s.collectStatus {
		if status, ok := u.Object["status"]; ok {
			if raw, err := json.Marshal(status); err == nil {
				l.remote = string(raw)
			}
		}
	}
	return l
}

func keyOf(obj metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

func parseVersion(s string) uint64 { return member.ParseVersion(s) }
