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

// versionRecord is a PropagatedVersion of the host as it was last seen or written.
type versionRecord struct {
	version uint64 // its resource version
	owners  []types.UID
	status  federate.VersionRecord
}

func (r *versionRecord) ownedBy(uid types.UID) bool { return slices.Contains(r.owners, uid) }

func sameRecord(a, b federate.VersionRecord) bool {
	return a.TemplateVersion == b.TemplateVersion && a.OverridesVersion == b.OverridesVersion && slices.Equal(a.ClusterVersions, b.ClusterVersions)
}

// recordStore holds all PropagatedVersions, or all ClusterPropagatedVersions, of
// the host cluster. A reflector fills it; what we write is in it at once.
type recordStore struct {
	onSynced func()

	mu      sync.RWMutex
	records map[types.NamespacedName]*versionRecord
	synced  bool
}

var _ cache.ReflectorStore = &recordStore{}

func newRecordStore(onSynced func()) *recordStore {
	return &recordStore{onSynced: onSynced, records: map[types.NamespacedName]*versionRecord{}}
}

// Get returns a record, nil if there is none, and whether all have been listed.
func (s *recordStore) Get(key types.NamespacedName) (record *versionRecord, synced bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.records[key], s.synced
}

// Observe notes what we have written.
func (s *recordStore) Observe(key types.NamespacedName, record *versionRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.records[key]; have == nil || have.version < record.version {
		s.records[key] = record
	}
}

// Forget drops a record that turned out not to be there.
func (s *recordStore) Forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, key)
}

// Add implements cache.ReflectorStore.
func (s *recordStore) Add(obj any) error { return s.put(obj) }

// Update implements cache.ReflectorStore.
func (s *recordStore) Update(obj any) error { return s.put(obj) }

func (s *recordStore) put(obj any) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watched version record is a %T", obj)
	}
	s.Observe(keyOf(u), recordOf(u))
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *recordStore) Delete(obj any) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watched version record is a %T", obj)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.records[keyOf(u)]; have != nil && have.version <= parseVersion(u.GetResourceVersion()) {
		delete(s.records, keyOf(u))
	}
	return nil
}

// Replace implements cache.ReflectorStore: a fresh list.
func (s *recordStore) Replace(list []any, _ string) error {
	fresh := make(map[types.NamespacedName]*versionRecord, len(list))
	for _, obj := range list {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("listed version record is a %T", obj)
		}
		fresh[keyOf(u)] = recordOf(u)
	}
	s.mu.Lock()
	s.records, s.synced = fresh, true
	s.mu.Unlock()
	s.onSynced()
	return nil
}

// Resync implements cache.ReflectorStore; there is no periodic resync.
func (s *recordStore) Resync() error { return nil }

// recordOf reads a PropagatedVersion. What it cannot read counts as another
// record, which is then written anew.
func recordOf(u *unstructured.Unstructured) *versionRecord {
	r := &versionRecord{version: parseVersion(u.GetResourceVersion())}
	for _, owner := range u.GetOwnerReferences() {
		r.owners = append(r.owners, owner.UID)
	}
	if status, ok := u.Object["status"].(map[string]any); ok {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(status, &r.status); err != nil {
			r.status = federate.VersionRecord{}
		}
	}
	return r
}

// recordKey is where the record of a federated object is: KubeFed's name for it.
func (t *runningType) recordKey(fed types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{Namespace: fed.Namespace, Name: strings.ToLower(t.Target.GVK.Kind) + "-" + fed.Name}
}
