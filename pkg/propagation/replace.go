package propagation

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/federate"
)

// replacingManager is the field manager of an update in place of an apply. Its
// entry stays only while apply is refused: it would not remove what another manager
// owns as well.
const replacingManager = "fedctl-replace"

// applyOrReplace applies the rendered object. Where somebody has changed the key
// of a list's item, such as a Service's port, applying adds ours beside theirs,
// and the result may be invalid. Lists are then replaced whole, as KubeFed's
// updates do, before the object is applied again.
//
// What can never be applied is only created or updated; refusal says why.
func (e *Engine) applyOrReplace(ctx context.Context, a *attempt) (written metav1.Object, refusal string, err error) {
	written, err = a.write(ctx)
	if refused(err) {
		written, writeErr := a.createOrUpdate(ctx)
		return written, describeRefusal(err), writeErr
	}
	if !apierrors.IsInvalid(err) || a.irreplaceable == a.hash {
		return written, "", err
	}
	replaced, replaceErr := a.replace(ctx)
	if replaceErr != nil {
		// Why it cannot be applied comes first: that is what the user can mend.
		return nil, "", fmt.Errorf("%w (replacing its lists instead failed: %w)", err, replaceErr)
	}
	if !replaced { // it is what we want that is invalid
		e.mark(a, func(p *place) { p.irreplaceable = a.hash })
		return nil, "", err
	}
	written, err = a.write(ctx)
	return written, "", err
}

// duplicateKeys is how API servers say, with the status of an internal error, that
// two items of a list have the same key, such as two variables of one name. Create
// and update accept that, apply does not.
const duplicateKeys = "duplicate entries for key"

// refused says whether an object can never be applied, but may be created.
func refused(err error) bool { return err != nil && strings.Contains(err.Error(), duplicateKeys) }

// describeRefusal says it in the status.
func describeRefusal(err error) string {
	text := err.Error()
	if _, detail, ok := strings.Cut(text, "): "); ok { // after the object's name and kind
		text = detail
	}
	return fmt.Sprintf("spec.template: %s: it is updated instead of applied, so fields that leave it stay in the clusters", text)
}

// readToWrite reads the object of the member for a write that carries its version;
// an error if its owner keeps it out.
func (a *attempt) readToWrite(ctx context.Context) (*unstructured.Unstructured, error) {
	object, err := a.client.GetWhole(ctx, a.resource, a.key)
	if err != nil {
		return nil, err
	}
	if keptOut(object) {
		return nil, errKeptOut
	}
	return object, nil
}

// createOrUpdate writes the object without apply, as KubeFed did. It is taken over
// when it can be applied again.
func (a *attempt) createOrUpdate(ctx context.Context) (metav1.Object, error) {
	var desired map[string]any
	if err := json.Unmarshal(a.rendered.JSON, &desired); err != nil {
		return nil, err
	}
	object, err := a.readToWrite(ctx)
	if apierrors.IsNotFound(err) {
		if a.rendered.Initial != nil { // with the replicas that are the member's later
			if err := json.Unmarshal(a.rendered.Initial, &desired); err != nil {
				return nil, err
			}
		}
		return a.client.Create(ctx, a.resource, a.key, &unstructured.Unstructured{Object: desired}, replacingManager)
	}
	if err != nil {
		return nil, err
	}
	object.Object = federate.Overlay(object.Object, desired)
	return a.client.Update(ctx, a.resource, a.key, object, replacingManager)
}

// replace updates the object in the member; false if there is none, or the
// result is invalid as well.
func (a *attempt) replace(ctx context.Context) (bool, error) {
	var desired map[string]any
	if err := json.Unmarshal(a.rendered.JSON, &desired); err != nil {
		return false, err
	}
	object, err := a.readToWrite(ctx)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	object.Object = federate.Overlay(object.Object, desired)
	updated, err := a.client.Update(ctx, a.resource, a.key, object, replacingManager)
	if apierrors.IsInvalid(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, a.client.DropManager(ctx, a.resource, a.key, updated, replacingManager)
}
