package propagation

import (
	"encoding/json"
	"hash/fnv"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// live is what the engine remembers of one target object in one member cluster.
// It is all that is kept: the object itself is never cached.
type live struct {
	uid     types.UID
	version uint64 // the resource version; comparable within one resource of one cluster
	// generation is 0 for objects that have none.
	generation int64
	// owned is a hash of the fields that the cluster says are ours (our entry in
	// managedFields). Whoever changes or removes one of them takes it out of
	// that entry, so an unchanged hash means that what we applied is still there,
	// whatever others have done to the rest of the object.
	owned uint64
	// replaced says that they were written by an update, because an apply was refused.
	replaced bool
	managed  bool // labelled kubefed.io/managed=true, not another value
	deleting bool
	kubeFeds bool   // KubeFed's controller owns fields of it
	remote   string // the status as JSON; only for types that collect it
}

// resourceVersion is the version as requests carry it; empty if it is not known.
func (l *live) resourceVersion() string {
	if l.version == 0 {
		return ""
	}
	return strconv.FormatUint(l.version, 10)
}

// memberStore holds one type's managed objects of one member cluster. OnChange is told
// of every difference, also of those found by listing again after an outage.
type memberStore = fleet.Table[live]

// memberWatch is the watch that fills it; nil where there is none.
type memberWatch = fleet.Watch[live]

func newMemberStore(collectStatus bool, onChange func(key types.NamespacedName, before, after *live), onSynced func()) *memberStore {
	return fleet.NewTable(fleet.Rules[live]{
		Read:     func(obj metav1.Object) (*live, error) { return liveOf(obj, collectStatus), nil },
		Version:  func(l *live) uint64 { return l.version },
		Same:     func(before, after *live) bool { return *before == *after },
		Carry:    func(before, after *live) { after.remote = before.remote },
		OnChange: onChange,
		OnSynced: onSynced,
	})
}

// observe records an object that a write of ours returned.
func observe(t *runningType, watch *memberWatch, obj metav1.Object) *live {
	l := liveOf(obj, t.CollectsStatus())
	watch.Observe(fleet.KeyOf(obj), l)
	return l
}

// liveOf takes what is remembered from an object; with collectStatus also its status.
func liveOf(obj metav1.Object, collectStatus bool) *live {
	owned, replaced := ownedHash(obj.GetManagedFields())
	l := &live{
		uid:        obj.GetUID(),
		version:    fleet.ParseVersion(obj.GetResourceVersion()),
		generation: obj.GetGeneration(),
		owned:      owned,
		replaced:   replaced,
		managed:    isManaged(obj),
		deleting:   obj.GetDeletionTimestamp() != nil,
		kubeFeds:   wroteByKubeFed(obj.GetManagedFields()),
	}
	if u, ok := obj.(*unstructured.Unstructured); ok && collectStatus {
		if status, ok := u.Object["status"]; ok {
			if raw, err := json.Marshal(status); err == nil {
				l.remote = string(raw)
			}
		}
	}
	return l
}

// ownedHash returns a hash of which fields were written by fedctl, and when, which
// tells two writes of the same fields apart; 0 if none were. replaced: some were
// written by an update, because an apply was refused.
func ownedHash(entries []metav1.ManagedFieldsEntry) (hash uint64, replaced bool) {
	for i := range entries {
		e := &entries[i]
		applied := e.Manager == federate.FieldManager && e.Operation == metav1.ManagedFieldsOperationApply
		updated := e.Manager == replacingManager && e.Operation == metav1.ManagedFieldsOperationUpdate
		if !applied && !updated || e.Subresource != "" || e.FieldsV1 == nil {
			continue
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(e.APIVersion)) // a hash's Write never fails
		_, _ = h.Write(e.FieldsV1.GetRawBytes())
		if e.Time != nil {
			_, _ = h.Write([]byte(strconv.FormatInt(e.Time.Unix(), 10)))
		}
		hash ^= h.Sum64() // in any order
		replaced = replaced || updated
	}
	return hash, replaced
}
