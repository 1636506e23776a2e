package member

import (
	"bytes"
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/federate"
)

// keptError says which field the member's API server has kept, against what is wanted.
type keptError struct{ field string }

func (e keptError) Error() string { return e.field }

// send applies the object. The answer is read whole where an API server may have made
// something else of it without a word, to see whether this one has.
func (w *application) send(ctx context.Context, body []byte, force bool) (*metav1.PartialObjectMetadata, error) {
	mayLose := w.Live != nil && bytes.Contains(body, []byte(":{}"))
	if !mayLose && !federate.MayKeep(w.Resource.GVK.GroupKind()) {
		return w.apply(ctx, w.Ref, body, federate.FieldManager, force)
	}
	return w.sendAndLook(ctx, body, force)
}

func (w *application) sendAndLook(ctx context.Context, body []byte, force bool) (*metav1.PartialObjectMetadata, error) {
	desired, err := w.object()
	if err != nil {
		return nil, err
	}
	applied, err := w.applyWhole(ctx, w.Ref, body, force)
	if err != nil {
		return nil, err
	}
	if w.Live != nil && federate.Emptied(applied.Object, desired.Object) {
		if body, err = w.bodyOf(applied.GetResourceVersion(), w.onlyThis(applied.GetUID())); err != nil {
			return nil, err
		}
		if applied, err = w.applyWhole(ctx, w.Ref, body, force); err != nil {
			return nil, err
		}
	}
	if field := federate.Kept(w.Resource.GVK.GroupKind(), applied, desired.Object); field != "" {
		return nil, keptError{field}
	}
	return metadataOf(applied), nil
}
