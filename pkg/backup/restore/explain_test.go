package restore

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

func TestExplain(t *testing.T) {
	invalid := func(errs ...*field.Error) error {
		return apierrors.NewInvalid(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "web", errs)
	}
	const again = "; this cannot be changed in an object that exists: delete it and restore again"
	selector := field.NewPath("spec", "selector")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"a selector": {
			invalid(field.Invalid(selector, metav1.LabelSelector{MatchLabels: map[string]string{"app": "web: {"}}, "field is immutable")),
			"spec.selector: field is immutable" + again,
		},
		"a Go struct, as older servers write it": {
			invalid(&field.Error{Type: field.ErrorTypeForbidden, Field: "spec", Detail: "pod updates may not change fields other than `spec.containers[*].image`\n  core.PodSpec{\n- Volumes: nil,\n"}),
			"spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`" + again,
		},
		"a text": {
			invalid(field.Invalid(field.NewPath("metadata", "name"), "A_B", "a lowercase RFC 1123 subdomain must consist of lower case characters")),
			`metadata.name: Invalid value: "A_B": a lowercase RFC 1123 subdomain must consist of lower case characters`,
		},
		"no field": {
			invalid(field.Invalid(nil, map[string]any{"a": 1}, "exactly one of a and b must be set")), "exactly one of a and b must be set",
		},
		"the same of two": {
			invalid(field.Invalid(selector, 1, "must be 2"), field.Invalid(selector, 1, "must be 2")), "spec.selector: Invalid value: 1: must be 2",
		},
		"unknown fields": {
			apierrors.NewBadRequest(`Widget in version "v2" cannot be handled as a Widget: strict decoding error: unknown field "spec.old", unknown field "spec.older"`),
			"v1, as which it was saved, has fields that v2 of the target does not know: spec.old, spec.older; remove them by a transform, or restore into a cluster that serves v1",
		},
		"fields that an older definition does not know": {
			apierrors.NewBadRequest(`Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.new"`),
			"this cluster's definition of widgets.example.com does not know all of its fields: spec.new; update the definition there and restore again, or remove the fields by a transform",
		},
		"something else": {apierrors.NewBadRequest("no"), "no"},
	} {
		if got := explain(content.Resource{Group: "example.com", Version: "v1", Plural: "widgets"}, test.err); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, test.want)
		}
	}
}
