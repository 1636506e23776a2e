package members

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// What a member says that does not tell what it serves is asked for once, and not lost.
func TestAMemberThatDoesNotSayWhatItServesIsAskedOnce(t *testing.T) {
	for code, is := range map[int]func(error) bool{http.StatusForbidden: apierrors.IsForbidden, http.StatusServiceUnavailable: apierrors.IsServiceUnavailable} {
		var asked atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Retry-After", "10")
			w.WriteHeader(code)
			_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"for this reason","code":%d}`, strings.ReplaceAll(http.StatusText(code), " ", ""), code)
		}))
		t.Cleanup(server.Close)
		_, err := Find(t.Context(), newMember("a", &rest.Config{Host: server.URL}), "default", "deployment/web")
		missing := MissingOf("a", err)
		if err == nil || !is(err) || missing.Message != "for this reason" || asked.Load() != 1 {
			t.Errorf("%d: %v, asked %d times", code, missing, asked.Load())
		}
	}
}

// What the host calls a type is not what members call it.
func TestATypeOfTheHostIsNamedAsItIsInMembers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", discoveryType)
		_, _ = fmt.Fprint(w, `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[]}`)
	}))
	t.Cleanup(server.Close)
	for name, want := range map[string]string{
		"federateddeployment/web": "cluster a is missing (NotServed): it does not serve the type federateddeployment, which the host has; there it is deployment",
		"widget/web":              "cluster a is missing (NotServed): it does not serve the type widget",
	} {
		_, err := Find(t.Context(), newMember("a", &rest.Config{Host: server.URL}), "default", name)
		if got := MissingOf("a", err).String(); err == nil || got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
