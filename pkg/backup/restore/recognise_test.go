package restore

import (
	"errors"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What holds for many objects is told from what is wrong with one.
func TestRecognise(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	terminating := apierrors.NewForbidden(pods, "web", errors.New("unable to create new content in namespace shop because it is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, test := range map[string]struct {
		err            error
		fault, subject string // empty: none
	}{
		"a quota": {apierrors.NewForbidden(pods, "web", errors.New("exceeded quota: small, requested: pods=1, used: pods=5, limited: pods=5")), "a quota is used up", "small"},
		"an admission webhook": {apierrors.NewInternalError(errors.New(`failed calling webhook "guard.example.com": failed to call webhook: Post "https://guard.shop.svc:443/": dial tcp: connection refused`)),
			"an admission webhook does not answer", "guard.example.com"},
		"a conversion webhook": {apierrors.NewInternalError(errors.New(`conversion webhook for example.com/v1, Kind=Widget failed: Post "https://c.shop.svc:443/": no endpoints`)),
			"a conversion webhook does not answer", "example.com/v1, Kind=Widget"},
		"a namespace that is being deleted": {terminating, "the namespace is being deleted", ""},
		"a server that fails":               {&apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusInternalServerError, Reason: "Unknown", Message: "etcdserver: mvcc: database space exceeded"}}, "the API server fails", "Unknown"},
		"a missing right":                   {apierrors.NewForbidden(pods, "web", errors.New("may not")), "", ""},
		"a refusal by a policy":             {apierrors.NewForbidden(pods, "web", errors.New(`admission webhook "guard.example.com" denied the request: no`)), "", ""},
		"a bad object":                      {apierrors.NewBadRequest("no"), "", ""},
	} {
		got := recognise(test.err)
		switch {
		case got == nil && test.fault != "":
			t.Errorf("%s is not recognised", name)
		case got != nil && (got.kind.name != test.fault || got.subject != test.subject):
			t.Errorf("%s: %s of %q", name, got.kind.name, got.subject)
		}
	}
}
