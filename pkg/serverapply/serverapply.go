// Package serverapply applies objects to an API server with server-side apply
// and tells what that changed, for commands that set up a control plane. The
// propagation to member clusters does not use it. It may import client
// libraries only.
package serverapply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Applier applies objects to one API server.
type Applier struct {
	// Client of the API server.
	Client client.Client
	// FieldManager owns the fields that are applied. What two managers apply exists
	// until both have dropped it.
	FieldManager string
	// DryRun makes the server only say what it would do.
	DryRun bool
}

// Result says what applying an object did.
type Result string

// The results of Apply, in kubectl's words.
const (
	Created    Result = "created"
	Configured Result = "configured"
	Unchanged  Result = "unchanged"
)

// Apply makes the object on the API server have the fields of obj, taking them
// over from whoever owns them. obj becomes the object as the server has it. The
// error names the object.
func (a Applier) Apply(ctx context.Context, obj *unstructured.Unstructured) (Result, error) {
	before := &unstructured.Unstructured{}
	before.SetGroupVersionKind(obj.GroupVersionKind())
	err := a.Client.Get(ctx, client.ObjectKeyFromObject(obj), before)
	existed := err == nil
	// In a dry run, the kind may be one whose definition was only applied dry.
	if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		return "", fmt.Errorf("%s: %w", Describe(obj), err)
	}
	if a.DryRun && !existed {
		return Created, nil
	}
	options := []client.ApplyOption{client.FieldOwner(a.FieldManager), client.ForceOwnership}
	if a.DryRun {
		options = append(options, client.DryRunAll)
	}
	if err := a.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), options...); err != nil {
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

// Check has the API server judge all objects in a dry run, for commands that write more
// than one: what is refused is known before anything is written. What cannot be judged
// yet, because its kind or namespace is among the objects, is let pass.
func (a Applier) Check(ctx context.Context, objects []*unstructured.Unstructured) error {
	var faults []error
	for _, object := range objects {
		err := a.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()),
			client.FieldOwner(a.FieldManager), client.ForceOwnership, client.DryRunAll)
		if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			faults = append(faults, fmt.Errorf("%s: %w", Describe(object), err))
		}
	}
	return errors.Join(faults...)
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
	name := strings.ToLower(obj.GroupVersionKind().GroupKind().String()) + "/" + obj.GetName()
	if obj.GetNamespace() != "" {
		name += " in namespace " + obj.GetNamespace()
	}
	return name
}
