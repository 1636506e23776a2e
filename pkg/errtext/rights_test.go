package errtext

import (
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestInMember(t *testing.T) {
	forbidden := func(text string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "podtemplates"}, "it", errors.New(text))
	}
	for name, test := range map[string]struct {
		err   error
		names bool
	}{
		"a right is missing": {forbidden(`User "system:serviceaccount:kube-federation-system:m" cannot list resource "podtemplates" in API group "" at the cluster scope`), true},
		"a quota":            {forbidden("exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"), false},
		"a policy":           {forbidden(`ValidatingAdmissionPolicy 'p' with binding 'b' denied request: you cannot list resource x`), false},
		"something else":     {errors.New(`User "u" cannot list resource "podtemplates"`), false},
	} {
		if got := InMember(test.err, "berlin"); strings.Contains(got, "fedctl join berlin") != test.names {
			t.Errorf("%s: %s", name, got)
		}
	}
}
