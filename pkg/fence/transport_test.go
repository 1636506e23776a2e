package fence

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestMutates(t *testing.T) {
	for request, want := range map[string]bool{
		"GET /api/v1/namespaces/a/configmaps/b":                                       false,
		"GET /api/v1/namespaces/a/configmaps?watch=true":                              false,
		"HEAD /api/v1/namespaces":                                                     false,
		"GET /api/v1/namespaces/a/pods/b/exec?command=rm":                             true,
		"POST /api/v1/namespaces/a/pods/b/exec?command=rm":                            true,
		"POST /api/v1/namespaces/a/configmaps":                                        true,
		"PUT /api/v1/namespaces/a/configmaps/b":                                       true,
		"PATCH /api/v1/namespaces/a/configmaps/b?fieldManager=fedctl&force=true":      true,
		"PATCH /api/v1/namespaces/a/configmaps/b?fieldManager=fedctl&dryRun=All":      false,
		"DELETE /api/v1/namespaces/a":                                                 true,
		"DELETE /api/v1/namespaces/a?dryRun=All":                                      false,
		"DELETE /api/v1/namespaces/a?dryRun=":                                         true,
		"POST /api/v1/namespaces/a/events":                                            true,
		"POST /apis/events.k8s.io/v1/namespaces/a/events":                             true,
		"PUT /apis/coordination.k8s.io/v1/namespaces/a/leases/b":                      true,
		"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews":                 false,
		"POST /apis/authorization.k8s.io/v1/namespaces/a/localsubjectaccessreviews":   false,
		"POST /k8s/clusters/c-1/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": false,
		"POST /apis/authentication.k8s.io/v1/tokenreviews":                            false,
		"DELETE /apis/authorization.k8s.io/v1/selfsubjectaccessreviews":               true,
		"POST /apis/example.com/v1/namespaces/a/reviews":                              true,
		"POST /api/v1/namespaces/a/serviceaccounts/b/token":                           true,
		"FROB /api/v1/namespaces/a":                                                   true,
	} {
		method, target, _ := strings.Cut(request, " ")
		if got := mutates(httptest.NewRequest(method, target, nil)); got != want {
			t.Errorf("%s: mutates is %t, want %t", request, got, want)
		}
	}
}

// lateBody is a body that takes its time, like one whose connection is made first.
type lateBody struct {
	io.Reader
	before func()
}

func (b *lateBody) Read(p []byte) (int, error) {
	b.before()
	return b.Reader.Read(p)
}
func (*lateBody) Close() error { return nil }

func TestTransport(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || (r.Method != http.MethodGet && r.Method != http.MethodDelete && string(body) != "body") {
			return // not a whole request: an API server refuses it
		}
		served.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	now := time.Duration(0)
	f := New("ns/lease", 10*time.Second)
	f.now = func() time.Duration { return now }
	client := &http.Client{Transport: f.Wrap(http.DefaultTransport)}
	send := func(method string, body io.Reader) error {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/api/v1/namespaces/a", body)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	expect := func(what string, err error, sent bool, want int64) {
		t.Helper()
		if sent != (err == nil) || (err != nil && !errors.Is(err, ErrNotLeading)) {
			t.Errorf("%s: the error is %v", what, err)
		}
		if got := served.Swap(0); got != want {
			t.Errorf("%s: the server got %d whole requests, want %d", what, got, want)
		}
	}
	expect("a read before leading", send(http.MethodGet, nil), true, 1)
	expect("a write before leading", send(http.MethodPost, strings.NewReader("body")), false, 0)
	f.took(now)
	expect("a write of the leader", send(http.MethodPost, strings.NewReader("body")), true, 1)
	expect("a delete of the leader", send(http.MethodDelete, nil), true, 1)
	slow := &lateBody{Reader: strings.NewReader("body"), before: func() { now = 9 * time.Second }}
	expect("a write that was decided in time and would be sent too late", send(http.MethodPost, slow), false, 0)
	expect("a write after that", send(http.MethodPatch, strings.NewReader("body")), false, 0)
	expect("a delete after that", send(http.MethodDelete, nil), false, 0)
	expect("a read after that", send(http.MethodGet, nil), true, 1)
}

func TestNoFenceIsNoTransport(t *testing.T) {
	var none *Fence
	if none.Wrap(http.DefaultTransport) != http.DefaultTransport {
		t.Error("without an election there is nothing to refuse")
	}
}
