package propagation

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/fedctl/fedctl/pkg/federate"
)

// hostRecord is an object of the host that says something about a federated object,
// as it was last seen or written. S is what it says.
type hostRecord[S any] struct {
	version uint64 // its resource version
	owners  []types.UID
	status  S
}

// versionRecord is a PropagatedVersion.
type versionRecord = hostRecord[federate.VersionRecord]

func (r *hostRecord[S]) ownedBy(uid types.UID) bool { return slices.Contains(r.owners, uid) }

func sameRecord(a, b federate.VersionRecord) bool {
	return a.TemplateVersion == b.TemplateVersion && a.OverridesVersion == b.OverridesVersion && slices.Equal(a.ClusterVersions, b.ClusterVersions)
}

// recordStore holds all records of one resource of the host cluster, such as all
// PropagatedVersions. A reflector fills it; what we write is in it at once.
type recordStore[S any] struct {
	read     func(*unstructured.Unstructured) S
	onChange func(types.NamespacedName) // somebody else may have changed or deleted a record
	onSynced func()

	mu      sync.RWMutex
	records map[types.NamespacedName]*hostRecord[S]
	synced  bool
}

var _ cache.ReflectorStore = &recordStore[federate.VersionRecord]{}

// newRecordStore makes a store of records that read makes sense of; onChange may be nil.
func newRecordStore[S any](read func(*unstructured.Unstructured) S, onChange func(types.NamespacedName), onSynced func()) *recordStore[S] {
	if onChange == nil {
		onChange = func(types.NamespacedName) {}
	}
	return &recordStore[S]{read: read, onChange: onChange, onSynced: onSynced, records: map[types.NamespacedName]*hostRecord[S]{}}
}

// Get returns a record, nil if there is none, and whether all have been listed.
func (s *recordStore[S]) Get(key types.NamespacedName) (record *hostRecord[S], synced bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records[key], s.synced
}

// Observe notes what we have written. It stands for what the same version was seen
// to say: a definition that drops fields would have us write them again and again.
func (s *recordStore[S]) Observe(key types.NamespacedName, record *hostRecord[S]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.records[key]; have == nil || have.version <= record.version {
		s.records[key] = record
	}
}

// Forget drops a record that turned out not to be there.
func (s *recordStore[S]) Forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, key)
}

// Add implements cache.ReflectorStore.
func (s *recordStore[S]) Add(obj any) error { return s.put(obj) }

// Update implements cache.ReflectorStore.
func (s *recordStore[S]) Update(obj any) error { return s.put(obj) }

func (s *recordStore[S]) put(obj any) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watched record is a %T", obj)
	}
	key, seen := keyOf(u), s.recordOf(u)
	s.mu.Lock()
	have := s.records[key]
	news := have == nil || have.version < seen.version
	if news {
		s.records[key] = seen
	}
	s.mu.Unlock()
	if news {
		s.onChange(key)
	}
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *recordStore[S]) Delete(obj any) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watched record is a %T", obj)
	}
	key := keyOf(u)
	s.mu.Lock()
	have := s.records[key]
	gone := have != nil && have.version <= parseVersion(u.GetResourceVersion())
	if gone {
		delete(s.records, key)
	}
	s.mu.Unlock()
	if gone {
		s.onChange(key)
	}
	return nil
}

// Replace implements cache.ReflectorStore: a fresh list.
func (s *recordStore[S]) Replace(list []any, _ string) error {
	fresh := make(map[types.NamespacedName]*hostRecord[S], len(list))
	for _, obj := range list {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("listed record is a %T", obj)
		}
		fresh[keyOf(u)] = s.recordOf(u)
	}
	s.mu.Lock()
	s.records, s.synced = fresh, true
	s.mu.Unlock()
	s.onSynced()
	return nil
}

// Resync implements cache.ReflectorStore; there is no periodic resync.
func (s *recordStore[S]) Resync() error { return nil }

func (s *recordStore[S]) recordOf(u *unstructured.Unstructured) *hostRecord[S] {
	r := &hostRecord[S]{version: parseVersion(u.GetResourceVersion()), status: s.read(u)}
	for _, owner := range u.GetOwnerReferences() {
		r.owners = append(r.owners, owner.UID)
	}
	return r
}

// readVersionRecord reads a PropagatedVersion. What it cannot read counts as
// another record, which is then written anew.
func readVersionRecord(u *unstructured.Unstructured) (record federate.VersionRecord) {
	if status, ok := u.Object["status"].(map[string]any); ok {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(status, &record); err != nil {
			return federate.VersionRecord{}
		}
	}
	return record
}

// recordKey is where the record of a federated object is: KubeFed's name for it.
func (t *runningType) recordKey(fed types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: fed.Namespace, Name: strings.ToLower(t.Target.GVK.Kind) + "-" + fed.Name}
}
