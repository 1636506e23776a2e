package propagation

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/federate"
)

// replacingManager is the field manager of an update in place of an apply. Its
// entry does not stay: apply would not remove what another manager owns as well.
const replacingManager = "fedctl-replace"

// applyOrReplace applies the rendered object. Where somebody has changed the key
// of a list's item, such as a Service's port, applying adds ours beside theirs,
// and the result may be invalid. Lists are then replaced whole, as KubeFed's
// updates do, before the object is applied again.
func (e *Engine) applyOrReplace(ctx context.Context, a *attempt) (*metav1.PartialObjectMetadata, error) {
	applied, err := a.client.Apply(ctx, a.resource, a.key, a.rendered.JSON, federate.FieldManager)
	if !apierrors.IsInvalid(err) || a.irreplaceable == a.hash {
		return applied, err
	}
	replaced, replaceErr := a.replace(ctx)
	if replaceErr != nil {
		// Why it cannot be applied comes first: that is what the user can mend.
		return nil, fmt.Errorf("%w (replacing its lists instead failed: %w)", err, replaceErr)
	}
	if !replaced { // it is what we want that is invalid
		e.mark(a, func(p *place) { p.irreplaceable = a.hash })
		return nil, err
	}
	return a.client.Apply(ctx, a.resource, a.key, a.rendered.JSON, federate.FieldManager)
}

// replace updates the object in the member; false if there is none, or the
// result is invalid as well.
func (a *attempt) replace(ctx context.Context) (bool, error) {
	var desired map[string]any
	if err := json.Unmarshal(a.rendered.JSON, &desired); err != nil {
		return false, err
	}
	object, err := a.client.GetWhole(ctx, a.resource, a.key)
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
