package fleet

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// thinned is an object of which nothing is left but what a table keeps of it. A reflector
// holds all that a watch tells of the objects that were there before until it has the last
// of them, which for a member's pods would be hundreds of megabytes.
type thinned[V any] struct {
	metav1.ObjectMeta

	value *V
}

// thin reads an object as soon as it has arrived.
func (t *Table[V]) thin(obj any) (any, error) {
	object, key, err := objectOf(obj)
	if err != nil {
		return nil, err
	}
	value, err := t.rules.Read(object)
	if err != nil {
		return obj, nil //nolint:nilerr // a reflector would drop it: the table meets the error again, and refuses the list
	}
	return &thinned[V]{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, ResourceVersion: object.GetResourceVersion()},
		value:      value,
	}, nil
}

// read takes what is kept from an object, or finds it taken already.
func (t *Table[V]) read(object metav1.Object) (*V, error) {
	if read, ok := object.(*thinned[V]); ok {
		return read.value, nil
	}
	return t.rules.Read(object)
}

// thinning is a watch as a reflector writes to it.
type thinning[V any] struct {
	cache.Store // nil: a reflector reads nothing

	watch *Watch[V]
}

var (
	_ cache.TransformingStore      = thinning[int]{}
	_ cache.ReflectorBookmarkStore = thinning[int]{}
)

// Transformer implements cache.TransformingStore.
func (t thinning[V]) Transformer() cache.TransformFunc { return t.watch.table.thin }

// Add implements cache.ReflectorStore.
func (t thinning[V]) Add(obj any) error { return t.watch.Add(obj) }

// Update implements cache.ReflectorStore.
func (t thinning[V]) Update(obj any) error { return t.watch.Update(obj) }

// Delete implements cache.ReflectorStore.
func (t thinning[V]) Delete(obj any) error { return t.watch.Delete(obj) }

// Replace implements cache.ReflectorStore.
func (t thinning[V]) Replace(list []any, resourceVersion string) error {
	return t.watch.Replace(list, resourceVersion)
}

// Resync implements cache.ReflectorStore.
func (t thinning[V]) Resync() error { return t.watch.Resync() }

// Bookmark implements cache.ReflectorBookmarkStore.
func (t thinning[V]) Bookmark(resourceVersion string) error { return t.watch.Bookmark(resourceVersion) }
