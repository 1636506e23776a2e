package member

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/federate"
)

// keptError says which field the member's API server has kept, against what is wanted.
type keptError struct{ field string }

func (e keptError) Error() string { return e.field }

// send applies the object. Of a kind of which API servers keep fields without a word the
// answer is read whole, to see whether this one has.
func (w *application) send(ctx context.Context, body []byte, force bool) (*metav1.PartialObjectMetadata, error) {
	gk := w.Resource.GVK.GroupKind()
	if !federate.MayKeep(gk) {
		return w.apply(ctx, w.Ref, body, federate.FieldManager, force)
	}
	applied, err := w.applyWhole(ctx, w.Ref, body, force)
	if err != nil {
		return nil, err
	}
	desired, err := w.object()
	if err != nil {
		return nil, err
	}
	if field := federate.Kept(gk, applied, desired.Object); field != "" {
		return nil, keptError{field}
	}
	return meta.AsPartialObjectMetadata(applied), nil
}
