package member

import (
	"bytes"
	"context"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/fedctl/fedctl/pkg/federate"
)

// keptError says which field the member's API server has kept, or would change, against what
// is wanted.
type keptError struct{ field string }

func (e keptError) Error() string { return e.field }

// send applies the object. The answer is read whole where an API server may have made
// something else of it without a word, to see whether this one has.
func (w *application) send(ctx context.Context, body []byte, force bool) (*metav1.PartialObjectMetadata, error) {
	mayLose := w.Live != nil && (bytes.Contains(body, []byte(":{}")) || bytes.Contains(body, []byte(":[]")))
	mayWrap := hasLargeNumber(body)
	if !mayLose && !mayWrap && !federate.MayKeep(w.Resource.GVK.GroupKind()) {
		applied, err := w.apply(ctx, w.Ref, body, federate.FieldManager, force)
		if err != nil {
			return nil, err
		}
		return applied, w.unmoved(ctx, applied)
	}
	desired, err := w.object()
	if err == nil && mayWrap {
		err = w.tryNumbers(ctx, body, desired, force)
	}
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
	written := metadataOf(applied)
	return written, w.unmoved(ctx, written)
}

// unmoved is an error if the member's admission has kept a custom resource as it was, without
// a word: nobody but its API server knows which of its fields may be changed. Only where the
// generation has not moved can that be, and then the object is read; whether one that is
// created would be another is found out by a dry run, under a name that nobody has. A member
// that does not answer that has kept nothing as far as is known.
func (w *application) unmoved(ctx context.Context, applied *metav1.PartialObjectMetadata) error {
	if w.dry != nil || w.Live == nil || w.Live.Generation == 0 || w.Live.Generation != applied.Generation ||
		scheme.Scheme.IsGroupRegistered(w.Resource.GVK.Group) {
		return nil
	}
	desired, err := w.object()
	if err != nil {
		return err
	}
	live, err := w.read(ctx, w.Ref)
	if err != nil || !federate.MayDiffer(live.Object, desired.Object) {
		return nil //nolint:nilerr // it was applied, and the watch tells of what becomes of it
	}
	another := w.Ref
	another.Key.Name = "fedctl-" + string(uuid.NewUUID())
	desired.SetName(another.Key.Name)
	body, err := desired.MarshalJSON()
	if err != nil {
		return err
	}
	created, err := w.try(ctx, another, body, false)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	if field := federate.KeptByAdmission(live.Object, created.Object, desired.Object); field != "" {
		return keptError{field}
	}
	return nil
}

// hasLargeNumber says whether JSON has a whole number that may not fit into 32 bits: ten
// digits in a row that begin a value. In a text they may be none, which costs a closer look.
func hasLargeNumber(body []byte) bool {
	const digits = 10
	run := 0
	for i, c := range body {
		if c < '0' || c > '9' {
			run = 0
			continue
		}
		if run++; run != digits {
			continue
		}
		before := i - digits
		if before > 0 && body[before] == '-' {
			before--
		}
		if before >= 0 && (body[before] == ':' || body[before] == ',' || body[before] == '[') {
			return true
		}
	}
	return false
}

// tryNumbers is an error if the API server would make another number of a large one, found
// out by a dry run; once for each field of a type that takes them.
func (w *application) tryNumbers(ctx context.Context, body []byte, desired *unstructured.Unstructured, force bool) error {
	large := federate.LargeIn(desired.Object)
	paths := make([]string, len(large))
	for i, l := range large {
		paths[i] = l.Path
	}
	if !w.wide.misses(w.Resource.GVR, paths) {
		return nil
	}
	answer, err := w.try(ctx, w.Ref, body, force)
	if err != nil {
		return err
	}
	if wrapped := federate.Wrapped(answer.Object, large); wrapped != "" {
		return keptError{wrapped}
	}
	w.wide.learn(w.Resource.GVR, paths)
	return nil
}

// putBack applies the object again if what was applied lacks what is wanted as empty. What
// it lacks even then the API server drops in all objects of the type, and is not missed again.
func (w *application) putBack(ctx context.Context, applied, desired *unstructured.Unstructured, force bool) (*unstructured.Unstructured, error) {
	if !w.dropped.misses(w.Resource.GVR, federate.Emptied(applied.Object, desired.Object)) {
		return applied, nil
	}
	body, err := w.bodyOf(applied.GetResourceVersion(), w.onlyThis(applied.GetUID()))
	if err != nil {
		return nil, err
	}
	if applied, err = w.applyWhole(ctx, w.Ref, body, federate.FieldManager, force); err == nil {
		w.dropped.learn(w.Resource.GVR, federate.Emptied(applied.Object, desired.Object))
	}
	return applied, err
}

// paths are those of fields of which something is known of the member's API server, for each
// type.
type paths struct {
	mu sync.Mutex
	of map[schema.GroupVersionResource]map[string]bool
}

func newPaths() paths { return paths{of: map[schema.GroupVersionResource]map[string]bool{}} }

// mostPaths bounds what is remembered of a type: schemas have an end, but keys of their
// objects may be anything.
const mostPaths = 1000

// misses says whether one of the paths is not known.
func (p *paths) misses(gvr schema.GroupVersionResource, these []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(these, func(path string) bool { return !p.of[gvr][path] })
}

func (p *paths) learn(gvr schema.GroupVersionResource, these []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[gvr] == nil || len(p.of[gvr]) > mostPaths {
		p.of[gvr] = map[string]bool{}
	}
	for _, path := range these {
		p.of[gvr][path] = true
	}
}
