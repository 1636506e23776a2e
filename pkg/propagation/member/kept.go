package member

import (
	"bytes"
	"context"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/federate"
)

// keptError says which field the member's API server has kept, against what is wanted.
type keptError struct{ field string }

func (e keptError) Error() string { return e.field }

// send applies the object. The answer is read whole where an API server may have made
// something else of it without a word, to see whether this one has.
func (w *application) send(ctx context.Context, body []byte, force bool) (*metav1.PartialObjectMetadata, error) {
	mayLose := w.Live != nil && (bytes.Contains(body, []byte(":{}")) || bytes.Contains(body, []byte(":[]")))
	if !mayLose && !federate.MayKeep(w.Resource.GVK.GroupKind()) {
		return w.apply(ctx, w.Ref, body, federate.FieldManager, force)
	}
	desired, err := w.object()
	if err != nil {
		return nil, err
	}
	applied, err := w.applyWhole(ctx, w.Ref, body, federate.FieldManager, force)
	if err == nil && mayLose {
		applied, err = w.putBack(ctx, applied, desired, force)
	}
	if err != nil {
		return nil, err
	}
	if field := federate.Kept(w.Resource.GVK.GroupKind(), applied, desired.Object); field != "" {
		return nil, keptError{field}
	}
	return metadataOf(applied), nil
}

// putBack applies the object again if what was applied lacks what is wanted as empty. What
// it lacks even then the API server drops in all objects of the type, and is not missed again.
func (w *application) putBack(ctx context.Context, applied, desired *unstructured.Unstructured, force bool) (*unstructured.Unstructured, error) {
	if !w.dropped.misses(w.Resource.GVR, federate.Emptied(applied.Object, desired.Object)) {
		return applied, nil
	}
	body, err := w.bodyOf(applied.GetResourceVersion())
	if err != nil {
		return nil, err
	}
	if applied, err = w.applyWhole(ctx, w.Ref, body, federate.FieldManager, force); err == nil {
		w.dropped.learn(w.Resource.GVR, federate.Emptied(applied.Object, desired.Object))
	}
	return applied, err
}

// dropped are the paths of empty objects and lists that the member's API server drops, for
// each type.
type dropped struct {
	mu sync.Mutex
	of map[schema.GroupVersionResource]map[string]bool
}

// mostDropped bounds what is remembered of a type: schemas have an end, but keys of their
// objects may be anything.
const mostDropped = 1000

// misses says whether one of the paths is not known to be dropped.
func (d *dropped) misses(gvr schema.GroupVersionResource, paths []string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(paths, func(path string) bool { return !d.of[gvr][path] })
}

func (d *dropped) learn(gvr schema.GroupVersionResource, paths []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of[gvr] == nil || len(d.of[gvr]) > mostDropped {
		d.of[gvr] = map[string]bool{}
	}
	for _, path := range paths {
		d.of[gvr][path] = true
	}
}
