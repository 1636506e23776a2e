package fleetapi

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

// errUnknownHost is why nobody is served yet.
var errUnknownHost = errors.New("the authority of the host's API server is being read, by which the users it names are believed")

// hostKnown says whether the host's API server can be told from others yet. The generic server
// listens before it has read by which authority, and until then takes everybody for
// anonymous: users would be refused what they may do.
type hostKnown struct {
	authority dynamiccertificates.CAContentProvider
	known     atomic.Bool
}

// Check implements healthz.HealthChecker, for the server's readiness.
func (h *hostKnown) Check(*http.Request) error {
	if h.known.Load() {
		return nil
	}
	if _, ok := h.authority.VerifyOptions(); !ok {
		return errUnknownHost
	}
	h.known.Store(true)
	return nil
}

// Name implements healthz.HealthChecker.
func (*hostKnown) Name() string { return "host-authority" }

// before has requests wait outside until then, but for questions after the server's health.
func (h *hostKnown) before(handler http.Handler, codecs runtime.NegotiatedSerializer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.Check(r); err != nil && strings.HasPrefix(r.URL.Path, "/api") {
			w.Header().Set("Retry-After", "1")
			responsewriters.ErrorNegotiated(apierrors.NewServiceUnavailable(err.Error()), codecs, fleetv1alpha1.GroupVersion, w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
}
