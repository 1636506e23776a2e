package fleet

import (
	"k8s.io/apimachinery/pkg/types"
)

// replace takes in a fresh list. What a write of ours has returned since is newer than
// the list, and stays. That is not so if the table was marked as possibly out of date,
// when it may be of another connection, or if the cluster's versions have gone back,
// as after a restore of its etcd: then the list is all that counts.
func (t *Table[V]) replace(list []any, resourceVersion string, ended func() bool) error {
	fresh := make(map[types.NamespacedName]*V, len(list))
	for _, obj := range list {
		object, key, err := objectOf(obj)
		if err != nil {
			return err
		}
		if fresh[key], err = t.read(object); err != nil {
			return err
		}
	}
	changes, replaced := t.exchange(fresh, ParseVersion(resourceVersion), ended)
	for _, c := range changes {
		t.rules.OnChange(c.key, c.before, c.after)
	}
	if replaced {
		t.rules.OnSynced()
	}
	return nil
}

// difference is what a list has found to be different.
type difference[V any] struct {
	key           types.NamespacedName
	before, after *V
}

func (t *Table[V]) exchange(fresh map[types.NamespacedName]*V, version uint64, ended func() bool) (changes []difference[V], replaced bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ended() {
		return nil, false
	}
	keep := t.synced && version != 0 && version >= t.seen
	told := !t.rules.SilentLists
	for key, before := range t.objects {
		after := fresh[key]
		switch {
		case keep && t.rules.Version(before) > version:
			fresh[key] = before
		case !told:
		case after == nil:
			changes = append(changes, difference[V]{key, before, nil})
		case t.rules.Same == nil || !t.rules.Same(before, after):
			changes = append(changes, difference[V]{key, before, after})
		}
	}
	for key, after := range fresh {
		if told && t.objects[key] == nil {
			changes = append(changes, difference[V]{key, nil, after})
		}
	}
	t.adopt(fresh)
	t.seen, t.synced = version, true
	return changes, true
}

// adopt makes fresh all that the table holds. The caller holds the lock.
func (t *Table[V]) adopt(fresh map[types.NamespacedName]*V) {
	if t.names == nil && t.index == nil && t.rules.Weigh == nil {
		t.objects = fresh
		return
	}
	t.reset(len(fresh))
	for key, value := range fresh {
		t.set(key, value)
	}
}
