package errtext

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// TestOfSecret: what is wrong and where stays, and no value does.
func TestOfSecret(t *testing.T) {
	const planted = "hunter2"
	kind := schema.GroupKind{Kind: "Secret"}
	denied := func(reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Reason: reason, Code: 403, Message: message}}
	}
	for name, test := range map[string]struct {
		err   error
		wants []string
	}{
		"an invalid value": {
			apierrors.NewInvalid(kind, "s", field.ErrorList{field.Invalid(field.NewPath("data").Key("a.b"), planted, "is "+planted)}),
			[]string{"(Invalid)", "data[a.b]: Invalid value"},
		},
		"immutable": {
			apierrors.NewInvalid(kind, "s", field.ErrorList{field.Forbidden(field.NewPath("data"), "field is immutable when `immutable` is set")}),
			[]string{"field is immutable when `immutable` is set", "data: Forbidden"},
		},
		"too large": {
			apierrors.NewInvalid(kind, "s", field.ErrorList{field.TooLong(field.NewPath("data"), planted, 1048576)}),
			[]string{"data: Too long", "may not be more than 1048576 bytes"},
		},
		"no base64":    {apierrors.NewBadRequest(`Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 4`), []string{"illegal base64 data at input byte 4"}},
		"a wrong type": {denied("", `failed to create typed patch object (n/s; /v1, Kind=Secret): .data.password: expected string, got &value.valueUnstructured{Value:"hunter2"}`), []string{"(code 403)", ".data.password: expected string"}},
		"a webhook that echoes": {denied("hunter2", `admission webhook "echo.example.com" denied the request: {"data":{"password":"hunter2"}}`),
			[]string{`admission webhook "echo.example.com" denied the request`}},
		"a webhook that names fields": {&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonInvalid, Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{
			{Type: "FieldValueInvalid", Field: planted}, {Type: planted, Field: "data"}, {Type: "FieldValueInvalid", Field: "data.x y " + planted},
		}}}}, []string{"(Invalid)"}},
		"in a chain":       {fmt.Errorf("writing: %w (and also %w)", denied(metav1.StatusReasonForbidden, planted), errors.New(planted)), []string{"(Forbidden)"}},
		"no object":        {runtime.NewMissingKindErr(`{"data":"` + planted + `"}`), []string{"is no object"}},
		"what it is about": {denied(metav1.StatusReasonForbidden, `secrets "s" is forbidden: unable to create new content in namespace n because it is being terminated`), []string{"because it is being terminated"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := OfSecret(test.err)
			for _, want := range test.wants {
				if !strings.Contains(got.Error(), want) {
					t.Errorf("no %q in %q", want, got)
				}
			}
			for _, text := range []string{got.Error(), Stable(got), Stable(fmt.Errorf("doing: %w", got))} {
				if strings.Contains(text, planted) {
					t.Errorf("it says %q", text)
				}
			}
			if !errors.Is(got, test.err) || OfSecret(got) != got { //nolint:errorlint // the same one
				t.Error("what it is of cannot be told")
			}
		})
	}
	for _, err := range []error{nil, context.DeadlineExceeded} {
		if OfSecret(err) != err { //nolint:errorlint // the same one
			t.Errorf("%v was reduced", err)
		}
	}
}
