package restore

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

// orphan is a restored object some of whose owners were not known yet.
type orphan struct {
	resource  content.Resource
	gvk       schema.GroupVersionKind
	namespace string
	name      string
	// owners as they were saved.
	owners []any
}

func (r *run) keepOrphan(resource content.Resource, object *unstructured.Unstructured, pending []any) {
	if len(pending) == 0 || r.dryRun {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.orphans = append(r.orphans, orphan{
		resource: resource, gvk: object.GroupVersionKind(), namespace: object.GetNamespace(), name: object.GetName(), owners: pending,
	})
}

// adopt gives objects the owners that were restored after them. An owner that was
// not restored and is not the live one is left out: the garbage collector would
// delete the object.
func (r *run) adopt(ctx context.Context) error {
	for _, o := range r.orphans {
		known, err := r.owners(ctx, o)
		if err == nil && len(known) > 0 {
			err = r.retry(ctx, func(ctx context.Context) error { return r.setOwners(ctx, o, known) })
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case apierrors.IsNotFound(err):
		case err != nil && lost(err):
			return r.fatal("the cluster does not answer any more", err)
		case err != nil:
			r.warn(o.resource.Name(), o.namespace, o.name, "its owners cannot be restored: "+explain(o.resource, err))
		}
	}
	return nil
}

// owners are those that exist, by their UIDs of now.
func (r *run) owners(ctx context.Context, o orphan) ([]any, error) {
	var known []any
	for _, saved := range o.owners {
		owner, _ := saved.(map[string]any)
		old, _ := owner["uid"].(string)
		now, ok := r.newUID(old)
		if !ok {
			lives, err := r.lives(ctx, o, owner)
			if err != nil {
				return nil, err
			}
			now, ok = old, lives
		}
		if !ok {
			r.warn(o.resource.Name(), o.namespace, o.name, fmt.Sprintf("restored without its owner %v %v, which was not restored", owner["kind"], owner["name"]))
			continue
		}
		owner["uid"] = now
		known = append(known, owner)
	}
	return known, nil
}

// lives says whether an owner that is not in the backup is still the same.
func (r *run) lives(ctx context.Context, o orphan, owner map[string]any) (bool, error) {
	apiVersion, _ := owner["apiVersion"].(string)
	kind, _ := owner["kind"].(string)
	name, _ := owner["name"].(string)
	if !r.same || name == "" || kind == "" {
		return false, nil
	}
	live := &unstructured.Unstructured{}
	live.SetAPIVersion(apiVersion)
	live.SetKind(kind)
	err := r.retry(ctx, func(ctx context.Context) error {
		mapping, err := r.client.RESTMapper().RESTMapping(live.GroupVersionKind().GroupKind(), live.GroupVersionKind().Version)
		if err != nil {
			return err
		}
		key := client.ObjectKey{Name: name}
		if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
			key.Namespace = o.namespace
		}
		return r.client.Get(ctx, key, live)
	})
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || apierrors.IsForbidden(err) {
		return false, nil
	}
	return err == nil && string(live.GetUID()) == owner["uid"], err
}

// setOwners adds owners to those that the object has.
func (r *run) setOwners(ctx context.Context, o orphan, known []any) error {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(o.gvk)
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: o.namespace, Name: o.name}, live); err != nil {
		return err
	}
	before := live.DeepCopy()
	has, _, _ := unstructured.NestedSlice(live.Object, "metadata", "ownerReferences")
	for _, owner := range known {
		if !hasOwner(has, owner.(map[string]any)["uid"]) {
			has = append(has, owner)
		}
	}
	if err := unstructured.SetNestedSlice(live.Object, has, "metadata", "ownerReferences"); err != nil {
		return err
	}
	return r.client.Patch(ctx, live, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(FieldManager))
}

func hasOwner(owners []any, uid any) bool {
	for _, owner := range owners {
		if m, ok := owner.(map[string]any); ok && m["uid"] == uid {
			return true
		}
	}
	return false
}
