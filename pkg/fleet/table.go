package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"unique"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Rules say what a Table keeps of objects, and whom it tells of changes. Only Read
// is required.
type Rules[V any] struct {
	// Read takes what is kept from an object.
	Read func(obj metav1.Object) (*V, error)
	// Version returns the resource version that a value is of, as ParseVersion reads
	// it. With it, what a write of ours has returned is not undone by a watch or a
	// list that is behind. Without it, what arrives last counts.
	Version func(*V) uint64
	// OwnWritesStand says that what a write of ours has returned stands also for what
	// is then seen of the same version: a definition that drops fields would have us
	// write them again and again.
	OwnWritesStand bool
	// Carry takes over from before what the answer to a write does not tell.
	Carry func(before, after *V)
	// Same says of two values that a list need not tell of the difference. Without it
	// OnChange is told of every object of a list.
	Same func(before, after *V) bool
	// SilentLists says that OnSynced alone is told of a list, because it has
	// everything looked at.
	SilentLists bool
	// ByNamespace makes Keys of one namespace cheap.
	ByNamespace bool
	// Index returns what Table.At finds an object by; nil for an object that is not to be found.
	Index func(key types.NamespacedName, value *V) any
	// Weigh returns how many bytes of a value can be done without, and MostWeight how
	// many of them the table keeps. Lighten returns a value without them: it is kept in
	// place of one that would be too much.
	Weigh      func(*V) int
	MostWeight int
	Lighten    func(*V) *V
	// OnChange is told of what the watch tells; nil stands for no object. It is not
	// told of writes of ours.
	OnChange func(key types.NamespacedName, before, after *V)
	// OnDeleted is told of what a watch, and no list, tells to have been deleted, as it was
	// last: before it is taken out, and OnChange is told.
	OnDeleted func(key types.NamespacedName, last *V)
	// OnSynced is told of each list, after OnChange.
	OnSynced func()
}

// Table keeps what matters of each object that a watch follows, and nothing else of
// it. A Watch fills it, and one after that goes on with it. Values are replaced,
// never changed.
//
// What changes a table for a watch is given ended, which says whether that watch has
// been ended: it is asked under the lock, so that nothing of a watch arrives after
// Unsync, which follows the end.
type Table[V any] struct {
	rules Rules[V]

	mu      sync.RWMutex
	objects map[types.NamespacedName]*V
	weight  int                            // of the objects, if the rules say so
	names   map[string]map[string]struct{} // by namespace, if the rules say so
	index   map[any][]*V                   // if the rules have one
	seen    uint64                         // the newest resource version the watch has delivered
	synced  bool
}

// NewTable returns an empty table.
func NewTable[V any](rules Rules[V]) *Table[V] {
	if rules.Version == nil {
		rules.Version = func(*V) uint64 { return 0 }
	}
	if rules.OnChange == nil {
		rules.OnChange = func(types.NamespacedName, *V, *V) {}
	}
	if rules.OnSynced == nil {
		rules.OnSynced = func() {}
	}
	t := &Table[V]{rules: rules}
	t.reset(0)
	return t
}

// reset empties the table. The caller holds the lock, or is the only one.
func (t *Table[V]) reset(size int) {
	t.objects, t.weight = make(map[types.NamespacedName]*V, size), 0
	if t.rules.ByNamespace {
		t.names = map[string]map[string]struct{}{}
	}
	if t.rules.Index != nil {
		t.index = map[any][]*V{}
	}
}

// Get returns what is known of an object, nil if there is none.
func (t *Table[V]) Get(key types.NamespacedName) *V {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.objects[key]
}

// Look is Get and Synced at once: whether the list that the answer is of was complete.
func (t *Table[V]) Look(key types.NamespacedName) (value *V, synced bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.objects[key], t.synced
}

// At returns the objects that the rules' Index has there, in no order.
func (t *Table[V]) At(index any) []*V {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.index[index])
}

// Synced says whether the table holds a complete list, taken since the last Unsync.
func (t *Table[V]) Synced() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.synced
}

// Unsync marks the table as possibly out of date until the next list.
func (t *Table[V]) Unsync() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.synced = false
}

// stand has what is known stand for a list: nothing more can be learned.
func (t *Table[V]) stand(ended func() bool) {
	t.mu.Lock()
	if ended() {
		t.mu.Unlock()
		return
	}
	t.synced = true
	t.mu.Unlock()
	t.rules.OnSynced()
}

// Len returns the number of objects.
func (t *Table[V]) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.objects)
}

// Keys returns the keys of all objects, or of those in one namespace.
func (t *Table[V]) Keys(namespace string) []types.NamespacedName {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if namespace != "" && t.names != nil {
		keys := make([]types.NamespacedName, 0, len(t.names[namespace]))
		for name := range t.names[namespace] {
			keys = append(keys, types.NamespacedName{Namespace: namespace, Name: name})
		}
		return keys
	}
	keys := make([]types.NamespacedName, 0, len(t.objects))
	for key := range t.objects {
		if namespace == "" || key.Namespace == namespace {
			keys = append(keys, key)
		}
	}
	return keys
}

// set holds value for the object, or nothing for nil. The caller holds the lock.
func (t *Table[V]) set(key types.NamespacedName, value *V) {
	before := t.objects[key]
	if value = t.weighed(before, value); value == nil {
		delete(t.objects, key)
	} else {
		t.objects[key] = value
	}
	t.enter(key, before, value)
	if t.names == nil {
		return
	}
	names := t.names[key.Namespace]
	switch {
	case value == nil:
		delete(names, key.Name)
		if len(names) == 0 {
			delete(t.names, key.Namespace)
		}
	case names == nil:
		t.names[key.Namespace] = map[string]struct{}{key.Name: {}}
	default:
		names[key.Name] = struct{}{}
	}
}

// enter has the index follow an object; either value may be nil. The caller holds the lock.
func (t *Table[V]) enter(key types.NamespacedName, before, after *V) {
	if t.rules.Index == nil {
		return
	}
	if before != nil {
		at := t.rules.Index(key, before)
		if t.index[at] = slices.DeleteFunc(t.index[at], func(v *V) bool { return v == before }); len(t.index[at]) == 0 {
			delete(t.index, at)
		}
	}
	if after == nil {
		return
	}
	if at := t.rules.Index(key, after); at != nil {
		t.index[at] = append(t.index[at], after)
	}
}

// weighed is the value that is to be kept in place of before, within what the table
// keeps. The caller holds the lock.
func (t *Table[V]) weighed(before, value *V) *V {
	if t.rules.Weigh == nil {
		return value
	}
	weight := func(of *V) int {
		if of == nil {
			return 0
		}
		return t.rules.Weigh(of)
	}
	t.weight -= weight(before)
	if value != nil && t.weight+weight(value) > t.rules.MostWeight {
		value = t.rules.Lighten(value)
	}
	t.weight += weight(value)
	return value
}

// Swap records what a write of ours has made of seen, unless the object has changed
// otherwise since. It returns what is known then.
func (t *Table[V]) Swap(key types.NamespacedName, seen, written *V) *V {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.objects[key] == seen {
		t.set(key, written)
	}
	return t.objects[key]
}

// Observe records what a write of ours has returned, so that the next decision does
// not depend on how far the watch has got. It changes nothing if the watch has
// already passed that version.
func (t *Table[V]) Observe(key types.NamespacedName, written *V) { t.observe(key, written, never) }

func never() bool { return false }

func (t *Table[V]) observe(key types.NamespacedName, written *V, ended func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ended() {
		return
	}
	before, version := t.objects[key], t.rules.Version(written)
	news := version > t.seen && (before == nil || version > t.rules.Version(before))
	if !news && (!t.rules.OwnWritesStand || before == nil || version != t.rules.Version(before)) {
		return
	}
	if before != nil && t.rules.Carry != nil {
		t.rules.Carry(before, written)
	}
	t.set(key, written)
}

// Forget drops what is known of an object that has turned out to be gone, or to be
// no longer ours, before the watch tells. It may already have told of another one:
// meant says whether what is known is what was found to be gone.
func (t *Table[V]) Forget(key types.NamespacedName, meant func(known *V) bool) {
	t.forget(key, meant, never)
}

func (t *Table[V]) forget(key types.NamespacedName, meant func(known *V) bool, ended func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.objects[key]; !ended() && known != nil && meant(known) {
		t.set(key, nil)
	}
}

// put takes in an object that was added or has changed.
func (t *Table[V]) put(obj any, ended func() bool) error {
	object, key, err := objectOf(obj)
	if err != nil {
		return err
	}
	after, err := t.read(object)
	if err != nil {
		return err
	}
	version := t.rules.Version(after)
	t.mu.Lock()
	before := t.objects[key]
	stale := ended() || before != nil && (t.rules.Version(before) > version || t.rules.OwnWritesStand && t.rules.Version(before) == version)
	if !stale {
		t.seen = max(t.seen, version)
		t.set(key, after)
	}
	t.mu.Unlock()
	if !stale {
		t.rules.OnChange(key, before, after)
	}
	return nil
}

// remove takes out an object that is gone, or is no longer selected.
func (t *Table[V]) remove(obj any, ended func() bool) error {
	object, key, err := objectOf(obj)
	if err != nil {
		return err
	}
	version := ParseVersion(object.GetResourceVersion())
	if err := t.deleted(object, key, ended); err != nil {
		return err
	}
	t.mu.Lock()
	before := t.objects[key]
	gone := !ended() && before != nil && t.rules.Version(before) <= version
	if gone {
		t.seen = max(t.seen, version)
		t.set(key, nil)
	}
	t.mu.Unlock()
	if gone {
		t.rules.OnChange(key, before, nil)
	}
	return nil
}

// deleted tells of an object that is about to be taken out. Of one that no watch puts in
// again meanwhile: there is only one at a time.
func (t *Table[V]) deleted(object metav1.Object, key types.NamespacedName, ended func() bool) error {
	if t.rules.OnDeleted == nil {
		return nil
	}
	known := t.Get(key)
	if ended() || known == nil || t.rules.Version(known) > ParseVersion(object.GetResourceVersion()) {
		return nil
	}
	last, err := t.read(object)
	if err == nil {
		t.rules.OnDeleted(key, last)
	}
	return err
}

// bookmark takes in how far the watch has come.
func (t *Table[V]) bookmark(resourceVersion string, ended func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !ended() {
		t.seen = max(t.seen, ParseVersion(resourceVersion))
	}
}

func objectOf(obj any) (metav1.Object, types.NamespacedName, error) {
	object, err := meta.Accessor(obj)
	if err != nil {
		return nil, types.NamespacedName{}, fmt.Errorf("watched object is a %T: %w", obj, err)
	}
	key := KeyOf(object)
	key.Namespace = unique.Make(key.Namespace).Value() // many objects share it, and hold it once
	return object, key, nil
}

// KeyOf returns the key of an object.
func KeyOf(obj metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

// ParseVersion returns a resource version as a number (KEP-5504: comparable
// within a resource); 0 if it is not one, which makes every watch event count as newer.
func ParseVersion(s string) uint64 {
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return v
}
