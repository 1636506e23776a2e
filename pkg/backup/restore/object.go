package restore

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
)

// saved is an object as the repository has it.
type saved struct {
	content              map[string]any
	namespace, name, uid string
	// size of its JSON.
	size int64
	// first is set for the first object of a resource, which stands for all when
	// the same is to be said of each.
	first bool
}

func parse(line []byte) (*saved, error) {
	s := &saved{size: int64(len(line))}
	if err := json.Unmarshal(line, &s.content); err != nil {
		return nil, err
	}
	if s.content == nil {
		return nil, fmt.Errorf("it is null")
	}
	object := unstructured.Unstructured{Object: s.content}
	s.namespace, s.name, s.uid = object.GetNamespace(), object.GetName(), string(object.GetUID())
	return s, nil
}

func (s *saved) labels() map[string]string {
	return (&unstructured.Unstructured{Object: s.content}).GetLabels()
}

func uidOf(object map[string]any) string {
	return string((&unstructured.Unstructured{Object: object}).GetUID())
}

func newObject(resource content.Resource) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(resource.GVK())
	return u
}

func conditions(object map[string]any) []map[string]any {
	list, _, _ := unstructured.NestedSlice(object, "status", "conditions")
	var out []map[string]any
	for _, element := range list {
		if m, ok := element.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// object restores one object. Only an error after which nothing more can be
// restored is returned.
func (r *run) object(ctx context.Context, resource, served content.Resource, s *saved) error {
	if resource.Name() == namespacesName {
		return r.outcome(ctx, resource, s, r.namespaces.ensure(ctx, s.name).err)
	}
	into := &ensured{}
	if resource.Namespaced {
		if into = r.namespaces.ensure(ctx, s.namespace); into.err != nil {
			return r.outcome(ctx, resource, s, fmt.Errorf("its namespace cannot be restored: %w", into.err))
		}
	}
	options := r.options()
	if resource.Name() == "persistentvolumeclaims" && r.verify == nil {
		if err := r.volume(ctx, s, &options); err != nil {
			return r.outcome(ctx, resource, s, err)
		}
	}
	object, prepared, err := r.prepare(resource, served, s, options)
	if err != nil {
		return r.outcome(ctx, resource, s, err)
	}
	if prepared.Skip != "" {
		r.count(func(c *backupv1alpha1.RestoreCounts) { c.Skipped++ })
		r.warn(resource.Name(), s.namespace, s.name, "not restored: "+prepared.Skip)
		return nil
	}
	for _, note := range prepared.Notes {
		r.warn(resource.Name(), s.namespace, s.name, note)
	}
	if r.verify != nil {
		return r.outcome(ctx, resource, s, r.check(ctx, resource, s, object))
	}
	if into.missing {
		// A dry run can ask the server about objects only in namespaces that exist.
		r.written(s, false)
		return nil
	}
	return r.outcome(ctx, resource, s, r.write(ctx, resource, s, object, into, prepared))
}

// outcome counts an object that was refused, and tells whether to go on.
func (r *run) outcome(ctx context.Context, resource content.Resource, s *saved, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case lost(err):
		return r.fatal("the cluster does not answer any more", err)
	}
	r.count(func(c *backupv1alpha1.RestoreCounts) { c.Failed++ })
	r.warn(resource.Name(), s.namespace, s.name, explain(err))
	return nil
}

func (r *run) options() content.Options {
	return content.Options{NamespaceMapping: r.spec.NamespaceMapping, SameCluster: r.same, NewUID: r.newUID}
}

// prepare makes of a saved object what is sent.
func (r *run) prepare(resource, served content.Resource, s *saved, options content.Options) (*unstructured.Unstructured, content.Prepared, error) {
	prepared := content.Prepare(resource, s.content, options)
	object := &unstructured.Unstructured{Object: s.content}
	if prepared.Skip != "" {
		return object, prepared, nil
	}
	object.SetGroupVersionKind(served.GVK())
	return object, prepared, r.transforms.Apply(resource, s.content)
}

func (r *run) written(s *saved, updated bool) {
	r.mu.Lock()
	r.result.Bytes += s.size
	r.mu.Unlock()
	r.count(func(c *backupv1alpha1.RestoreCounts) {
		if updated {
			c.Updated++
		} else {
			c.Created++
		}
	})
}

// write creates an object, or does with one that exists what the Restore says.
func (r *run) write(ctx context.Context, resource content.Resource, s *saved, object *unstructured.Unstructured, into *ensured, prepared content.Prepared) error {
	wanted := object.DeepCopy()
	err := r.create(ctx, resource, object)
	if apierrors.IsInvalid(err) && content.Relax(resource, wanted.Object) {
		// Its address or a port of it has been given to another one.
		refused := err
		object = wanted.DeepCopy()
		if err = r.create(ctx, resource, object); err == nil {
			r.warn(resource.Name(), s.namespace, s.name, "gets new addresses and ports: "+refused.Error())
		}
	}
	switch {
	case err == nil:
		r.remember(s.uid, string(object.GetUID()))
		r.keepOrphan(resource, object, prepared)
		r.written(s, false)
		return nil
	case apierrors.IsAlreadyExists(err):
		return r.exists(ctx, resource, s, wanted, into, prepared)
	}
	return err
}

func (r *run) create(ctx context.Context, resource content.Resource, object *unstructured.Unstructured) error {
	options := []client.CreateOption{client.FieldOwner(FieldManager)}
	if r.dryRun {
		options = append(options, client.DryRunAll)
	}
	if object.GroupVersionKind().Version != resource.Version {
		// Saved in another version: a field that this one does not have must not be
		// lost in silence.
		options = append(options, client.FieldValidation("Strict"))
	}
	fields := object.DeepCopy()
	return r.retry(ctx, func(ctx context.Context) error {
		object.Object = fields.DeepCopy().Object
		return r.client.Create(ctx, object, options...)
	})
}

// exists skips or updates an object that is there. What a new namespace gets from
// its cluster by itself, the account "default", counts as part of the namespace.
func (r *run) exists(ctx context.Context, resource content.Resource, s *saved, wanted *unstructured.Unstructured, into *ensured, prepared content.Prepared) error {
	live := newObject(resource)
	live.SetGroupVersionKind(wanted.GroupVersionKind())
	err := r.retry(ctx, func(ctx context.Context) error { return r.client.Get(ctx, client.ObjectKeyFromObject(wanted), live) })
	if err != nil {
		return err
	}
	r.remember(s.uid, string(live.GetUID()))
	differences := content.Compare(resource, wanted.Object, live.Object, true)
	if r.spec.Existing != existingUpdate && !into.created {
		r.count(func(c *backupv1alpha1.RestoreCounts) { c.Skipped++ })
		if len(differences) > 0 {
			r.warn(resource.Name(), s.namespace, s.name, "exists and is left as it is, though "+summary(differences)+"; set existing to Update to restore it")
		}
		return nil
	}
	// Addresses are the live object's, and owners it has may be those of today.
	content.Relax(resource, wanted.Object)
	if resource.Name() == "persistentvolumeclaims" {
		for _, field := range []string{"volumeName", "dataSource"} {
			unstructured.RemoveNestedField(wanted.Object, "spec", field)
		}
	}
	if len(wanted.GetOwnerReferences()) == 0 {
		wanted.SetOwnerReferences(nil)
	}
	if err := r.retry(ctx, func(ctx context.Context) error { return r.apply(ctx, wanted) }); err != nil {
		return err
	}
	r.keepOrphan(resource, wanted, prepared)
	r.written(s, true)
	return nil
}

// apply makes the live object have the fields of object.
func (t *target) apply(ctx context.Context, object *unstructured.Unstructured) error {
	options := []client.ApplyOption{client.FieldOwner(FieldManager), client.ForceOwnership}
	if t.dryRun {
		options = append(options, client.DryRunAll)
	}
	return t.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), options...)
}

// summary names the first differences.
func summary(differences []content.Difference) string {
	const most = 3
	text := ""
	for i, difference := range differences {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(differences)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += difference.String()
	}
	return text
}
