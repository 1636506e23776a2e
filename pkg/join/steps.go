package join

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// steps carries out changes in one cluster and says each of them.
type steps struct {
	client client.Client
	// where is the cluster's name, for messages.
	where           string
	dryRun          bool
	errorOnExisting bool
	say             func(line string)
	deleted         func(client.Object) // told of deletions instead of say, if set
	made            *[]client.Object    // what has been created, for takeBack
	changed         *bool               // set when anything is, if it is wanted
}

// did says what was done, or with dryRun would have been.
func (s steps) did(verb, infinitive string, object client.Object) {
	if s.changed != nil {
		*s.changed = true
	}
	if s.dryRun {
		verb = "would " + infinitive
	}
	s.say(fmt.Sprintf("%s %s in %s", verb, describeObject(object), s.where))
}

func describeObject(object client.Object) string {
	kind, name := object.GetObjectKind().GroupVersionKind().Kind, object.GetName()
	if object.GetNamespace() != "" {
		name = object.GetNamespace() + "/" + name
	}
	return kind + " " + name
}

func (s steps) fail(action string, object client.Object, err error) error {
	return fmt.Errorf("cannot %s %s in %s: %w", action, describeObject(object), s.where, err)
}

// ensure creates desired, or brings what there is to it.
func (s steps) ensure(ctx context.Context, desired client.Object) error {
	gvk := desired.GetObjectKind().GroupVersionKind()
	existing, ok := desired.DeepCopyObject().(client.Object)
	if !ok {
		return s.fail("copy", desired, fmt.Errorf("unexpected type %T", desired))
	}
	err := s.client.Get(ctx, client.ObjectKeyFromObject(desired), existing)
	if apierrors.IsNotFound(err) {
		return s.create(ctx, desired)
	} else if err != nil {
		return s.fail("get", desired, err)
	}
	existing.GetObjectKind().SetGroupVersionKind(gvk)
	_, isNamespace := desired.(*corev1.Namespace)
	if s.errorOnExisting && !isNamespace {
		return fmt.Errorf("%s already exists in %s; leave out --error-on-existing to update it", describeObject(desired), s.where)
	}
	change, err := bring(existing, desired)
	switch {
	case err != nil:
		return s.fail("use", desired, err)
	case change == changeNone:
		s.say(fmt.Sprintf("unchanged %s in %s", describeObject(desired), s.where))
		return nil
	case change == changeReplace:
		if err := s.remove(ctx, existing); err != nil {
			return err
		}
		s.made = nil // there was one before
		return s.create(ctx, desired)
	}
	if !s.dryRun {
		if err := s.client.Update(ctx, existing); err != nil {
			return s.fail("update", desired, err)
		}
	}
	s.did("updated", "update", desired)
	return nil
}

func (s steps) create(ctx context.Context, desired client.Object) error {
	gvk := desired.GetObjectKind().GroupVersionKind()
	if !s.dryRun {
		err := s.client.Create(ctx, desired)
		desired.GetObjectKind().SetGroupVersionKind(gvk) // the client clears it
		if err != nil {
			return s.fail("create", desired, err)
		}
		if s.made != nil {
			*s.made = append(*s.made, desired)
		}
	}
	s.did("created", "create", desired)
	return nil
}

// remove deletes an object; one that is not there is fine, and not spoken of.
func (s steps) remove(ctx context.Context, object client.Object) error {
	if s.dryRun {
		probe, ok := object.DeepCopyObject().(client.Object)
		if !ok {
			return nil
		}
		err := s.client.Get(ctx, client.ObjectKeyFromObject(object), probe)
		if apierrors.IsNotFound(err) {
			return nil
		} else if err != nil {
			return s.fail("get", object, err)
		}
		s.didDelete(object)
		return nil
	}
	err := s.client.Delete(ctx, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return s.fail("delete", object, err)
	}
	s.didDelete(object)
	return nil
}

// removeAll deletes objects one after the other, up to the first that cannot be.
func (s steps) removeAll(ctx context.Context, objects []client.Object) error {
	for _, object := range objects {
		if err := s.remove(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func (s steps) didDelete(object client.Object) {
	if s.deleted != nil {
		s.deleted(object)
		return
	}
	s.did("deleted", "delete", object)
}

type change int

const (
	changeNone change = iota
	changeUpdate
	changeReplace
)

// bring changes existing to what desired asks for and says how that can be
// stored. The error says why the two cannot be reconciled.
func bring(existing, desired client.Object) (change, error) {
	switch want := desired.(type) {
	case *rbacv1.ClusterRole:
		have, _ := existing.(*rbacv1.ClusterRole)
		return max(assign(&have.Rules, want.Rules), note(existing, want)), nil
	case *rbacv1.Role:
		have, _ := existing.(*rbacv1.Role)
		return max(assign(&have.Rules, want.Rules), note(existing, want)), nil
	case *rbacv1.ClusterRoleBinding:
		have, _ := existing.(*rbacv1.ClusterRoleBinding)
		if have.RoleRef != want.RoleRef { // it cannot be changed
			return changeReplace, nil
		}
		return assign(&have.Subjects, want.Subjects), nil
	case *rbacv1.RoleBinding:
		have, _ := existing.(*rbacv1.RoleBinding)
		if have.RoleRef != want.RoleRef {
			return changeReplace, nil
		}
		return assign(&have.Subjects, want.Subjects), nil
	case *admissionv1.ValidatingAdmissionPolicy:
		have, _ := existing.(*admissionv1.ValidatingAdmissionPolicy)
		return assign(&have.Spec, want.Spec), nil
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		have, _ := existing.(*admissionv1.ValidatingAdmissionPolicyBinding)
		return assign(&have.Spec, want.Spec), nil
	case *corev1.ServiceAccount:
		return note(existing, want), nil
	case *corev1.Secret:
		have, _ := existing.(*corev1.Secret)
		if have.Type != want.Type || have.Annotations[corev1.ServiceAccountNameKey] != want.Annotations[corev1.ServiceAccountNameKey] {
			return changeNone, fmt.Errorf("it is a Secret of another use (type %s); delete it first", have.Type)
		}
	}
	return changeNone, nil
}

// note gives existing the annotations of desired, beside its others.
func note(existing, desired client.Object) change {
	done := changeNone
	annotations := existing.GetAnnotations()
	for key, value := range desired.GetAnnotations() {
		if annotations[key] != value {
			if annotations == nil {
				annotations = map[string]string{}
			}
			annotations[key], done = value, changeUpdate
		}
	}
	existing.SetAnnotations(annotations)
	return done
}

func assign[T any](have *T, want T) change {
	if apiequality.Semantic.DeepEqual(*have, want) {
		return changeNone
	}
	*have = want
	return changeUpdate
}
