package restore

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/errtext"
)

func uidOf(object map[string]any) string {
	return string((&unstructured.Unstructured{Object: object}).GetUID())
}

func isSecret(resource content.Resource) bool { return resource.Name() == "secrets" }

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

// object restores one object, or puts it aside. Only an error after which nothing more
// can be restored is returned.
func (r *run) object(ctx context.Context, resource content.Resource, s *saved) error {
	if r.aside.joins(resource, r.namespaces.to(namespaceOf(resource, s)), s.id()) {
		r.deferred(resource, 1)
		return nil
	}
	return r.outcome(ctx, resource, s, r.try(ctx, resource, s))
}

// outcome counts an object that was refused, and tells whether to go on.
func (r *run) outcome(ctx context.Context, resource content.Resource, s *saved, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if isSecret(resource) { // also where what it waits for is told
		err = errtext.OfSecret(err)
	}
	fault := recognise(err)
	if fault == nil && lost(err) {
		if apierrors.IsUnauthorized(err) || !r.alive(ctx) {
			return r.fatal("the cluster does not answer any more", err)
		}
		fault = &faultError{kind: faultUnavailable, subject: resource.Name(), message: err.Error()}
	}
	if fault != nil {
		r.aside.put(resource, r.namespaces.to(namespaceOf(resource, s)), s.id(), fault)
		r.deferred(resource, 1)
		return nil
	}
	r.failed(resource, 1)
	r.warn(resource.Name(), s.namespace, s.name, explain(resource, err))
	return nil
}

// try does with one object what the plan says.
func (r *run) try(ctx context.Context, resource content.Resource, s *saved) error {
	if resource.Name() == namespacesName {
		_, err := r.namespaces.ensure(ctx, s.name)
		return err
	}
	into := &namespace{}
	if resource.Namespaced {
		var err error
		if into, err = r.namespaces.ensure(ctx, s.namespace); err != nil {
			return fmt.Errorf("its namespace cannot be restored: %w", err)
		}
	}
	if r.verify != nil {
		return r.check(ctx, resource, s)
	}
	planned := r.plan.of(resource, s)
	if planned.action == content.Leave {
		r.leave(resource, s, planned.why)
		return nil
	}
	served := r.serve(ctx, resource)
	switch {
	case r.dryRun && (into.missing || served.problem != "" && r.plan.defined[resource.Name()]):
		return r.unasked(ctx, resource, s, into)
	case served.problem != "":
		return r.notServed(resource, served.problem)
	}
	situation, step, err := r.decide(ctx, resource, s, into, planned.action != content.Create)
	if err != nil {
		return err
	}
	return r.carryOut(ctx, resource, s, into, situation, step)
}

// unasked counts an object of a dry run of which the server cannot be asked yet.
func (r *run) unasked(ctx context.Context, resource content.Resource, s *saved, into *namespace) error {
	_, step, err := r.decide(ctx, resource, s, into, false)
	if err != nil {
		return err
	}
	switch step.Action {
	case content.Create:
		r.notes(resource, s, step.Notes)
		r.written(resource, s, false)
		r.plan.mu.Lock()
		r.plan.unasked++
		r.plan.mu.Unlock()
	case content.Leave:
		r.leave(resource, s, step.Why)
	default:
		return errors.New(step.Why)
	}
	return nil
}

func (r *run) leave(resource content.Resource, s *saved, why string) {
	if why != "" {
		r.warn(resource.Name(), s.namespace, s.name, why)
	}
	r.skipped(resource)
}

func (r *run) notes(resource content.Resource, s *saved, notes []string) {
	for _, note := range notes {
		r.warn(resource.Name(), s.namespace, s.name, note)
	}
}

// carryOut does what a step says. A live object that has changed meanwhile, or come
// meanwhile, is looked at again.
func (r *run) carryOut(ctx context.Context, resource content.Resource, s *saved, into *namespace, situation *content.Situation, step content.Step) error {
	const attempts = 5
	for attempt := 1; ; attempt++ {
		var err error
		switch step.Action {
		case content.Create:
			err = r.create(ctx, resource, s, &step)
		case content.Update:
			err = r.update(ctx, resource, s, situation, &step)
		case content.Leave:
			r.leave(resource, s, step.Why)
			return nil
		case content.Wait:
			return &faultError{kind: faultDeleting, subject: s.namespace + "/" + s.name, message: step.Why}
		case content.Conflict:
			return errors.New("exists, though it did not when the restore began")
		default:
			return errors.New(step.Why)
		}
		if !apierrors.IsAlreadyExists(err) && !apierrors.IsConflict(err) || attempt == attempts {
			return err
		}
		if situation, step, err = r.decide(ctx, resource, s, into, true); err != nil {
			return err
		}
	}
}

func (r *run) create(ctx context.Context, resource content.Resource, s *saved, step *content.Step) error {
	if resource.Name() == "persistentvolumeclaims" {
		if err := r.freeVolume(ctx, step.Object); err != nil {
			return err
		}
	}
	object := &unstructured.Unstructured{Object: step.Object}
	leftOut, err := r.send(ctx, resource, object)
	if relaxed := object.DeepCopy(); apierrors.IsInvalid(err) && content.Relax(resource, relaxed.Object) {
		// Its address or a port of it has been given to another one.
		refused := err
		if leftOut, err = r.send(ctx, resource, relaxed); err == nil {
			step.Notes = append(step.Notes, "gets new addresses and ports: "+refused.Error())
			object = relaxed
		}
	}
	if err != nil {
		return err
	}
	step.Notes = append(step.Notes, withoutFields(leftOut)...)
	r.done(resource, s, object, step, false)
	return nil
}

func (r *run) done(resource content.Resource, s *saved, object *unstructured.Unstructured, step *content.Step, updated bool) {
	r.remember(s.uid, string(object.GetUID()))
	r.keepOrphan(resource, object, step.PendingOwners)
	r.notes(resource, s, step.Notes)
	r.written(resource, s, updated)
}

// send creates an object, which becomes what the server has made of it. It returns the
// fields that the server does not know.
func (r *run) send(ctx context.Context, resource content.Resource, object *unstructured.Unstructured) (leftOut []string, err error) {
	options := []client.CreateOption{client.FieldOwner(FieldManager)}
	if r.dryRun {
		options = append(options, client.DryRunAll)
	}
	fields := object.DeepCopy()
	leftOut, err = knownFields(resource, fields.GroupVersionKind().Version, func(validation client.FieldValidation) error {
		return r.retry(ctx, func(ctx context.Context) error {
			object.Object = fields.DeepCopy().Object
			return r.client.Create(ctx, object, append(options, validation)...)
		})
	})
	if err != nil {
		object.Object = fields.Object
	}
	return leftOut, err
}

// update makes a live object as a whole what it was.
func (r *run) update(ctx context.Context, resource content.Resource, s *saved, situation *content.Situation, step *content.Step) error {
	options := []client.UpdateOption{client.FieldOwner(FieldManager)}
	if r.dryRun {
		options = append(options, client.DryRunAll)
	}
	object := &unstructured.Unstructured{Object: step.Object}
	put := func(fields map[string]any) ([]string, error) {
		return knownFields(resource, object.GroupVersionKind().Version, func(validation client.FieldValidation) error {
			return r.retry(ctx, func(ctx context.Context) error {
				object.Object = (&unstructured.Unstructured{Object: fields}).DeepCopy().Object
				return r.client.Update(ctx, object, append(options, validation)...)
			})
		})
	}
	leftOut, err := put(step.Object)
	if ports := content.WithPortsOf(resource, step.Object, situation.Live); apierrors.IsInvalid(err) && ports != nil {
		refused := err
		if leftOut, err = put(ports); err == nil {
			step.Notes = append(step.Notes, "keeps the ports it has: "+refused.Error())
		}
	}
	if err != nil {
		return err
	}
	step.Notes = append(step.Notes, withoutFields(leftOut)...)
	r.done(resource, s, object, step, true)
	return nil
}
