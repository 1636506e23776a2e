package member

import (
	"errors"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/federate"
)

// Some labels and annotations of a member are its administrator's say over what runs
// there, such as the Pod Security level of a namespace. Where somebody else has set one,
// it stays as it is, whatever the template says; where nobody has, the template's is set.

// key is a label or an annotation of an object.
type key struct{ field, name string }

func (k key) String() string { return "metadata." + k.field + "." + k.name }

// protects says whether a key is never taken over by force.
func (d *Desired) protects(name string) bool {
	return slices.ContainsFunc(d.Protected, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// protected are the keys of the desired object that are never taken over by force.
func (d *Desired) protected() []key {
	if len(d.Protected) == 0 {
		return nil
	}
	object, err := d.object()
	if err != nil {
		return nil // what is sent says so
	}
	var keys []key
	for _, field := range []string{"labels", "annotations"} {
		values, _, _ := unstructured.NestedMap(object.Object, "metadata", field)
		for name := range values {
			if d.protects(name) {
				keys = append(keys, key{field, name})
			}
		}
	}
	return keys
}

// setByOthers are the protected keys for which others' values are in the way of an apply.
func (w *application) setByOthers(err error) (theirs []key) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	for _, k := range w.protected() {
		if slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool {
			return c.Type == metav1.CauseTypeFieldManagerConflict && c.Field == "."+k.String()
		}) {
			theirs = append(theirs, k)
		}
	}
	return theirs
}

// leaveReplicas takes the replicas out of what is sent.
func (w *application) leaveReplicas() error {
	object, err := w.object()
	if err != nil {
		return err
	}
	unstructured.RemoveNestedField(object.Object, "spec", "replicas")
	w.Rendered.JSON, err = object.MarshalJSON()
	return err
}

// leaveTo takes keys out of what is sent: they are left to the member.
func (w *application) leaveTo(theirs []key) error {
	for _, body := range []*[]byte{&w.Rendered.JSON, &w.Rendered.Initial} {
		if *body == nil {
			continue
		}
		object, err := parse(*body)
		if err != nil {
			return err
		}
		for _, k := range theirs {
			unstructured.RemoveNestedField(object.Object, "metadata", k.field, k.name)
		}
		if *body, err = object.MarshalJSON(); err != nil {
			return err
		}
	}
	for _, k := range theirs {
		w.left = append(w.left, federate.LeftToMember+k.String())
	}
	return nil
}

// yield takes the protected keys out of desired that live has with another value, which
// is what an apply would have met as a conflict.
func (w *application) yield(live, desired *unstructured.Unstructured) {
	for _, k := range w.protected() {
		have, there, _ := unstructured.NestedString(live.Object, "metadata", k.field, k.name)
		want, _, _ := unstructured.NestedString(desired.Object, "metadata", k.field, k.name)
		if there && have != want {
			unstructured.RemoveNestedField(desired.Object, "metadata", k.field, k.name)
			w.left = append(w.left, federate.LeftToMember+k.String())
		}
	}
}
