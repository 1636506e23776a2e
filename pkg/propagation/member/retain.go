package member

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
)

// retainReplicas sees to it that applying without spec.replicas leaves them as
// they are: an object that is not there is created with the template's number,
// and where we own the field it is handed over.
func (w *application) retainReplicas(ctx context.Context) ApplyResult {
	if !w.RetainReplicas || w.Retained && w.Live != nil {
		return nil
	}
	// The controllers of the member write to a new object as well.
	err := retries.OnConflict(func() error { return w.handOverReplicas(ctx) })
	if err != nil && !refused(err) {
		return failed(err)
	}
	return nil
}

func (w *application) handOverReplicas(ctx context.Context) error {
	object, err := w.readToWrite(ctx, w.Ref)
	var version string
	replicas := ptr.Deref(w.Rendered.Replicas, 1)
	switch {
	case notFound(err, w.Ref) && w.initialBody() == nil:
		return nil // the template has no replicas either
	case notFound(err, w.Ref):
		created, err := w.apply(ctx, w.Ref, w.initialBody(), federate.FieldManager, false) // one made meanwhile is looked at
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
		"apiVersion": w.Resource.GVK.GroupVersion().String(),
		"kind":       w.Resource.GVK.Kind,
		// With the version, a scaling that comes in between is not undone.
		"metadata": map[string]any{"name": w.Key.Name, "resourceVersion": version},
		"spec":     map[string]any{"replicas": replicas},
	})
	if err != nil {
		return err
	}
	_, err = w.apply(ctx, w.Ref, body, retainingManager, true)
	return err
}
