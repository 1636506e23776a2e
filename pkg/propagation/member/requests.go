package member

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Ref names an object of the member. The version in Resource is the one that requests
// are made in.
type Ref struct {
	Resource typeconfig.Resource
	Key      types.NamespacedName
}

// requests are the requests that are made, each within the timeout. Answers are
// asked for as metadata alone, in protobuf, wherever the rest would be thrown away.
type requests struct {
	metadata metadata.Interface
	dynamic  dynamic.Interface
	timeout  time.Duration
	// dry is told what would be written, and nothing is; nil where it is.
	dry *recording
}

// dryRun is what the options of every write say.
func (c *requests) dryRun() []string {
	if c.dry == nil {
		return nil
	}
	return []string{metav1.DryRunAll}
}

func (c *requests) resource(r Ref) metadata.ResourceInterface {
	if r.Resource.Namespaced {
		return c.metadata.Resource(r.Resource.GVR).Namespace(r.Key.Namespace)
	}
	return c.metadata.Resource(r.Resource.GVR)
}

func (c *requests) whole(r Ref) dynamic.ResourceInterface {
	if r.Resource.Namespaced {
		return c.dynamic.Resource(r.Resource.GVR).Namespace(r.Key.Namespace)
	}
	return c.dynamic.Resource(r.Resource.GVR)
}

// apply applies an object by server-side apply as manager and returns its metadata.
// Fields that others own with another value are taken over with force, and a
// conflict without.
func (c *requests) apply(ctx context.Context, r Ref, body []byte, manager string, force bool) (*metav1.PartialObjectMetadata, error) {
	if c.dry != nil {
		applied, err := c.applyWhole(ctx, r, body, manager, force)
		if err != nil {
			return nil, err
		}
		return metadataOf(applied), nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.resource(r).Patch(ctx, r.Key.Name, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: manager, Force: ptr.To(force)})
}

// applyWhole is apply with the whole object as the answer.
func (c *requests) applyWhole(ctx context.Context, r Ref, body []byte, manager string, force bool) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	options := metav1.PatchOptions{FieldManager: manager, Force: ptr.To(force), DryRun: c.dryRun()}
	return c.dry.note(c.whole(r).Patch(ctx, r.Key.Name, types.ApplyPatchType, body, options))
}

// try is applyWhole for the template, with nothing written.
func (c *requests) try(ctx context.Context, r Ref, body []byte, force bool) (*unstructured.Unstructured, error) {
	dry := *c
	dry.dry = &recording{}
	return dry.applyWhole(ctx, r, body, federate.FieldManager, force)
}

// get reads an object's metadata.
func (c *requests) get(ctx context.Context, r Ref) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.resource(r).Get(ctx, r.Key.Name, metav1.GetOptions{})
}

// readToWrite reads an object whole for a write that carries its version; an error
// if its owner keeps it out.
func (c *requests) readToWrite(ctx context.Context, r Ref) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	object, err := c.whole(r).Get(ctx, r.Key.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if keptOut(object) {
		return nil, ErrKeptOut
	}
	return object, nil
}

// create creates an object in place of an apply.
func (c *requests) create(ctx context.Context, r Ref, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.dry.note(c.whole(r).Create(ctx, object, metav1.CreateOptions{FieldManager: replacingManager, DryRun: c.dryRun()}))
}

// update writes an object in place of an apply; the version in it must still be the server's.
func (c *requests) update(ctx context.Context, r Ref, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.dry.note(c.whole(r).Update(ctx, object, metav1.UpdateOptions{FieldManager: replacingManager, DryRun: c.dryRun()}))
}

// dropReplacing takes the entry of our updates off managedFields, leaving the fields.
func (c *requests) dropReplacing(ctx context.Context, r Ref, object *unstructured.Unstructured) error {
	entries := object.GetManagedFields()
	kept := slices.DeleteFunc(slices.Clone(entries), func(e metav1.ManagedFieldsEntry) bool { return e.Manager == replacingManager })
	if len(kept) == len(entries) || len(kept) == 0 { // an empty list would reset everything
		return nil
	}
	body, err := managedFieldsPatch(kept, object.GetResourceVersion())
	if err != nil {
		return err
	}
	_, err = c.patch(ctx, r, types.JSONPatchType, body)
	return err
}

// managedFieldsPatch is a JSON patch that says anew whose the fields are, of the object of
// this version alone.
func managedFieldsPatch(entries []metav1.ManagedFieldsEntry, version string) ([]byte, error) {
	return json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": version},
	})
}

// patch changes an object's metadata and returns it.
func (c *requests) patch(ctx context.Context, r Ref, kind types.PatchType, body []byte) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.resource(r).Patch(ctx, r.Key.Name, kind, body, metav1.PatchOptions{FieldManager: federate.FieldManager, DryRun: c.dryRun()})
}

// delete deletes the object as it is known, and neither another that took its name
// nor one that has changed since: both are a conflict.
func (c *requests) delete(ctx context.Context, r Ref, known *Live, options *metav1.DeleteOptions) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	opts := metav1.DeleteOptions{}
	if options != nil {
		opts = *options.DeepCopy()
	}
	if opts.PropagationPolicy == nil && opts.OrphanDependents == nil { //nolint:staticcheck // the user may still set the old field
		opts.PropagationPolicy = ptr.To(metav1.DeletePropagationBackground)
	}
	if opts.Preconditions == nil {
		opts.Preconditions = &metav1.Preconditions{}
	}
	if opts.Preconditions.UID == nil { // else another object is meant, or this one
		opts.Preconditions.UID = &known.UID
	}
	if version := known.ResourceVersion(); opts.Preconditions.ResourceVersion == nil && version != "" {
		opts.Preconditions.ResourceVersion = &version
	}
	opts.DryRun = c.dryRun()
	return c.resource(r).Delete(ctx, r.Key.Name, opts)
}

// unlabel takes the managed label off the object as it is known; one that has
// changed since, whose label may be its owner's now, is a conflict.
func (c *requests) unlabel(ctx context.Context, r Ref, known *Live) error {
	metadata := map[string]any{"uid": known.UID, "labels": map[string]any{federate.ManagedLabel: nil}}
	if version := known.ResourceVersion(); version != "" {
		metadata["resourceVersion"] = version
	}
	body, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	_, err = c.patch(ctx, r, types.MergePatchType, body)
	return err
}
