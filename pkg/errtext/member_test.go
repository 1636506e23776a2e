package errtext

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestInMemberSaysHowToChangeWhatCannotBe(t *testing.T) {
	fault := field.Invalid(field.NewPath("spec", "selector"), map[string]string{}, "field is immutable")
	err := apierrors.NewInvalid(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "web", field.ErrorList{fault})
	const hint = "delete the object in cluster east, and it is created anew"
	if got := InMember(err, "east"); !strings.HasSuffix(got, hint) || !strings.Contains(got, "field is immutable; it cannot be changed") {
		t.Errorf("got %q", got)
	}
	fault = field.Invalid(field.NewPath("spec", "replicas"), -1, "must be greater than or equal to 0")
	err = apierrors.NewInvalid(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "web", field.ErrorList{fault})
	if got := InMember(err, "east"); strings.Contains(got, "delete") {
		t.Errorf("got %q", got)
	}
}

func TestInMemberDoesNotAdviseToDeleteData(t *testing.T) {
	fault := field.Forbidden(field.NewPath("spec"), "spec is immutable after creation except resources.requests")
	err := apierrors.NewInvalid(schema.GroupKind{Kind: "PersistentVolumeClaim"}, "data", field.ErrorList{fault})
	if got := InMember(err, "east"); !strings.HasSuffix(got, "deleting the object in cluster east may delete what it holds") {
		t.Errorf("got %q", got)
	}
}
