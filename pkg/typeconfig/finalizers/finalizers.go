// Package finalizers lets go of the objects of a federated type that nobody
// propagates any more: the controller does it when a type is switched off, and
// "fedctl uninstall" when no controller is left to do it.
package finalizers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/retries"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Remove takes the finalizer of propagation off all objects of a
// federated type, or of those within the options, in pages.
func Remove(ctx context.Context, reader client.Reader, writer client.Writer, federated typeconfig.Resource, within ...client.ListOption) error {
	var page metav1.PartialObjectMetadataList
	for {
		page.SetGroupVersionKind(federated.GVK.GroupVersion().WithKind(federated.GVK.Kind + "List"))
		err := reader.List(ctx, &page, append([]client.ListOption{client.Limit(500), client.Continue(page.Continue)}, within...)...)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return nil // no type, no objects
		}
		if err != nil {
			return fmt.Errorf("listing %s: %w", federated.GVR.Resource, err)
		}
		for i := range page.Items {
			if err := removeFrom(ctx, reader, writer, &page.Items[i], federated); err != nil {
				return err
			}
		}
		if page.Continue == "" {
			return nil
		}
	}
}

// removeFrom removes the finalizer of propagation from an object as it was
// listed; others may be writing to it as well.
func removeFrom(ctx context.Context, reader client.Reader, writer client.Writer, obj *metav1.PartialObjectMetadata, federated typeconfig.Resource) error {
	obj.SetGroupVersionKind(federated.GVK)
	listed := true
	err := retries.OnConflict(func() error {
		if !listed {
			if err := reader.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
				return err
			}
		}
		listed = false
		before := obj.DeepCopy()
		if !controllerutil.RemoveFinalizer(obj, federate.Finalizer) {
			return nil
		}
		return writer.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the finalizer from %s %s/%s: %w", federated.GVK.Kind, obj.Namespace, obj.Name, err)
	}
	return nil
}
