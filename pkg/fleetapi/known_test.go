package fleetapi

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// authority is one that is read some time.
type authority struct {
	dynamiccertificates.CAContentProvider
	read bool
}

func (a *authority) VerifyOptions() (x509.VerifyOptions, bool) { return x509.VerifyOptions{}, a.read }

func TestNobodyIsServedBeforeTheHostIsKnown(t *testing.T) {
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	of := &authority{}
	h := &hostKnown{authority: of}
	handler := h.before(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }), serializer.NewCodecFactory(scheme))
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		return w
	}
	for _, path := range []string{"/apis/fleet.fedctl.io/v1alpha1/clusters", "/apis"} {
		if w := ask(path); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if h.Check(nil) == nil {
		t.Error("it says that it is ready")
	}
	if w := ask("/livez"); w.Code != http.StatusOK {
		t.Errorf("its health: %d", w.Code)
	}
	of.read = true
	if w := ask("/apis/fleet.fedctl.io/v1alpha1/clusters"); w.Code != http.StatusOK || h.Check(nil) != nil {
		t.Errorf("afterwards: %d", w.Code)
	}
}
