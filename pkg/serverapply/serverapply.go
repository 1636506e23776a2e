// Package serverapply applies objects to an API server with server-side apply
// and tells what that changed, for commands that set up a control plane. The
// propagation to member clusters does not use it. It may import client
// libraries only.
package serverapply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldManager owns the fields that commands apply.
const FieldManager = "fedctl-cli"

// Result says what applying an object did.
type Result string

// The results of Apply, in kubectl's words.
const (
	Created    Result = "created"
	Configured Result = "configured"
	Unchanged  Result = "unchanged"
)

// Apply makes the object on the API server have the fields of obj, taking them
// over from whoever owns them. obj becomes the object as the server has it. With
// dryRun the server only says what it would do. The error names the object.
func Apply(ctx context.Context, c client.Client, obj *unstructured.Unstructured, dryRun bool) (Result, error) {
	before := &unstructured.Unstructured{}
	before.SetGroupVersionKind(obj.GroupVersionKind())
	err := c.Get(ctx, client.ObjectKeyFromObject(obj), before)
	existed := err == nil
	// With dryRun, the kind may be one whose definition was only applied dry.
	if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		return "", fmt.Errorf("%s: %w", Describe(obj), err)
	}
	if dryRun && !existed {
		return Created, nil
	}
	options := []client.ApplyOption{client.FieldOwner(FieldManager), client.ForceOwnership}
	if dryRun {
		options = append(options, client.DryRunAll)
	}
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), options...); err != nil {
		return "", fmt.Errorf("%s: %w", Describe(obj), err)
	}
	switch {
	case !existed:
		return Created, nil
	case equality.Semantic.DeepEqual(content(before), content(obj)):
		return Unchanged, nil
	default:
		return Configured, nil
	}
}

// content is what an object says, without the server's records about it.
func content(obj *unstructured.Unstructured) map[string]any {
	obj = obj.DeepCopy()
	for _, field := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(obj.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(obj.Object, "status")
	return obj.Object
}

// FromTyped converts a typed object with its kind set to what Apply takes: only
// what was set on purpose, without status and server-made metadata.
func FromTyped(obj runtime.Object) (*unstructured.Unstructured, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{Object: fields}
	unstructured.RemoveNestedField(fields, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(fields, "status")
	return out, nil
}

// Describe names an object as kubectl does, with its namespace:
// deployment.apps/name in namespace x.
func Describe(obj *unstructured.Unstructured) string {
	gvk := obj.GroupVersionKind()
	name := gvk.GroupKind().String() + "/" + obj.GetName()
	if obj.GetNamespace() != "" {
		name += " in namespace " + obj.GetNamespace()
	}
	return name
}
