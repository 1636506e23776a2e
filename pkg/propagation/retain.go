package propagation

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
)

// retainingManager is the field manager that holds spec.replicas where they are
// the member's. Applying without a field that we alone own removes it, and the
// API server would put its default, 1, in its place.
const retainingManager = "fedctl-retained"

// retainReplicas sees to it that applying without spec.replicas leaves them as
// they are: an object that is not there is created with the template's number,
// and where we own the field it is handed over.
func (e *Engine) retainReplicas(ctx context.Context, a *attempt) error {
	// The controllers of the member write to a new object as well.
	return retries.OnConflict(func() error { return a.handOverReplicas(ctx) })
}

func (a *attempt) handOverReplicas(ctx context.Context) error {
	object, err := a.readToWrite(ctx)
	var version string
	replicas := ptr.Deref(a.rendered.Replicas, 1)
	switch {
	case apierrors.IsNotFound(err) && a.rendered.Initial == nil:
		return nil // the template has no replicas either
	case apierrors.IsNotFound(err):
		created, err := a.client.Apply(ctx, a.resource, a.key, a.rendered.Initial, federate.FieldManager, false) // one made meanwhile is looked at
		if err != nil {
			return err
		}
		version = created.ResourceVersion
	case err != nil:
		return fmt.Errorf("reading the replicas to retain: %w", err)
	case !ownsReplicas(object.GetManagedFields()):
		return nil
	default:
		version = object.GetResourceVersion()
		if current, found, err := unstructured.NestedInt64(object.Object, "spec", "replicas"); err == nil && found {
			replicas = current
		}
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": a.resource.GVK.GroupVersion().String(),
		"kind":       a.resource.GVK.Kind,
		// With the version, a scaling that comes in between is not undone.
		"metadata": map[string]any{"name": a.key.Name, "resourceVersion": version},
		"spec":     map[string]any{"replicas": replicas},
	})
	if err != nil {
		return err
	}
	_, err = a.client.Apply(ctx, a.resource, a.key, body, retainingManager, true)
	return err
}

// ownsReplicas says whether spec.replicas is among the fields that we applied.
func ownsReplicas(entries []metav1.ManagedFieldsEntry) bool {
	for _, entry := range entries {
		if entry.Manager != federate.FieldManager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			return true // better one write too many than the replicas lost
		}
		_, ok := fields.Spec["f:replicas"]
		return ok
	}
	return false
}
