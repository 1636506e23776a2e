package member

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/federate"
)

// applyOrReplace applies the object. Where somebody has changed the key
// of a list's item, such as a Service's port, applying adds ours beside theirs,
// and the result may be invalid. Lists are then replaced, by an update as KubeFed's are but
// for what others have in them, before the object is applied again.
//
// What can never be applied is only created or updated.
func (w *application) applyOrReplace(ctx context.Context) ApplyResult {
	applied, err := w.write(ctx)
	switch {
	case err == nil:
		return w.takeShared(ctx, applied)
	case refused(err):
		written, writeErr := w.createOrUpdate(ctx)
		if writeErr != nil {
			return failed(writeErr)
		}
		return Updated{Object: written, Refusal: describeRefusal(err)}
	case errors.As(err, &keptError{}):
		return Invalid{err}
	case !apierrors.IsInvalid(err):
		return failed(err)
	case w.Invalid:
		return Invalid{w.explained(err)}
	}
	replaced, replaceErr := w.replace(ctx)
	switch {
	case replaceErr != nil:
		// Why it cannot be applied comes first: that is what the user can mend.
		return failed(fmt.Errorf("%w (replacing its lists instead failed: %w)", err, replaceErr))
	case !replaced: // it is what we want that is invalid
		return Invalid{w.explained(err)}
	}
	if applied, err = w.write(ctx); err != nil {
		return failed(err)
	}
	return w.takeShared(ctx, applied)
}

// explained says of an object that is invalid if it is for what the API server keeps of the
// one that is there: the template does not have it.
func (w *application) explained(err error) error {
	const headless = "may not be set to 'None'"
	if w.Resource.GVK.Kind != "Service" || !strings.Contains(err.Error(), headless) {
		return err
	}
	desired, parseErr := w.object()
	if address, _, _ := unstructured.NestedString(desired.Object, "spec", "clusterIP"); parseErr != nil || address != "" {
		return err
	}
	return fmt.Errorf("%w: spec.clusterIP stays None, which is not in the template: field is immutable", err)
}

// refusals are how API servers say, with the status of an internal error, that a list cannot
// be merged by its items' keys: two items have the same, such as two variables of one name,
// or one is null. Create and update accept that, apply does not. An item that lacks its key is
// another matter: of an object with one an API server cannot even tell whose its fields are.
//
// Source: sigs.k8s.io/structured-merge-diff/v6/typed, merge.go and helpers.go.
var refusals = []string{"duplicate entries for key", "associative list with keys may not have a null element"}

// refused says whether an object can never be applied, but may be created. Fields that the
// schema does not know come first: the same object without them is tried next.
func refused(err error) bool { return err != nil && refusalIn(err.Error()) != "" && !isUndeclared(err) }

// refusalIn is which of the refusals a text holds.
func refusalIn(text string) string {
	for _, refusal := range refusals {
		if strings.Contains(text, refusal) {
			return refusal
		}
	}
	return ""
}

// describeRefusal says it for the user.
func describeRefusal(err error) string {
	text := err.Error()
	if _, detail, ok := strings.Cut(text, "): "); ok { // after the object's name and kind
		text = detail
	}
	return fmt.Sprintf("spec.template: %s: it is updated instead of applied", text)
}

// createOrUpdate writes the object without apply, as KubeFed did. It is taken over
// when it can be applied again.
func (w *application) createOrUpdate(ctx context.Context) (*unstructured.Unstructured, error) {
	object, err := w.readToWrite(ctx, w.Ref)
	if err = w.vanished(err); notFound(err, w.Ref) {
		initial, err := w.initial()
		if err != nil {
			return nil, err
		}
		return w.create(ctx, w.Ref, initial)
	}
	if err != nil {
		return nil, err
	}
	desired, err := w.object()
	if err != nil {
		return nil, err
	}
	updated, _, err := w.updateKeeping(ctx, object, desired)
	return updated, err
}

// mostKept is how often an update is tried that keeps something in lists: as much as it can,
// and less in the lists that the first has shown to be in the way.
const mostKept = 2

// updateKeeping makes an object of the member, which is its own copy, what is desired: what
// was ours and is not desired any more goes, as apply would have it, and what others have in
// its lists stays, as far as the result is valid. invalid: it is not, whatever is left out.
func (w *application) updateKeeping(ctx context.Context, object, desired *unstructured.Unstructured) (updated *unstructured.Unstructured, invalid bool, err error) {
	w.yield(object, desired)
	kept := federate.Keeping{Others: federate.OthersOf(object.GetManagedFields())}
	leave(object.Object, ownedFields(object.GetManagedFields(), w.RetainReplicas), desired.Object)
	var tried map[string]any
	for try := 1; ; try++ {
		next := federate.Replacement(w.Resource.GVK.GroupKind(), object.Object, desired.Object, kept)
		if reflect.DeepEqual(next, tried) {
			return nil, true, err
		}
		tried = next
		updated, err = w.update(ctx, w.Ref, &unstructured.Unstructured{Object: next})
		if !apierrors.IsInvalid(err) || kept.Others == nil {
			return updated, apierrors.IsInvalid(err), err
		}
		if kept = kept.Without(causes(err)); try == mostKept {
			kept = federate.Keeping{}
		}
	}
}

// causes are the fields at which an API server finds an object invalid.
func causes(err error) (fields []string) {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		for _, cause := range status.Status().Details.Causes {
			fields = append(fields, cause.Field)
		}
	}
	return fields
}

// replace updates the object in the member; false if there is none, or the
// result is invalid as well.
func (w *application) replace(ctx context.Context) (bool, error) {
	object, err := w.readToWrite(ctx, w.Ref)
	if notFound(err, w.Ref) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	desired, err := w.object()
	if err != nil {
		return false, err
	}
	updated, invalid, err := w.updateKeeping(ctx, object, desired)
	switch {
	case invalid:
		return false, nil
	case err != nil:
		return false, err
	}
	return true, w.dropReplacing(ctx, w.Ref, updated)
}
