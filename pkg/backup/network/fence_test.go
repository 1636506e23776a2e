package network_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// late is a body that is read when something has happened.
type late struct {
	io.Reader
	happens func()
}

func (l *late) Read(into []byte) (int, error) {
	l.happens()
	return l.Reader.Read(into)
}

// TestWhoMayNotWriteDoesNot: reads pass; what writes is refused before it is sent, and
// has no body where the right was lost in between.
func TestWhoMayNotWriteDoesNot(t *testing.T) {
	var whole atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			whole.Add(1)
		}
	}))
	defer server.Close()
	lost := errors.New("another one leads")
	var why error
	rules := loopback(t)
	rules.MayWrite = func() error { return why }
	client := rules.Client(nil)
	lose := func() { why = lost }
	for _, step := range []struct {
		what, method string
		body         io.Reader
		before       error
		sent         bool
	}{
		{"a write of the leader", http.MethodPut, strings.NewReader("data"), nil, true},
		{"a delete of the leader", http.MethodDelete, nil, nil, true},
		{"a read of another one", http.MethodGet, nil, lost, true},
		{"a write of another one", http.MethodPut, strings.NewReader("data"), lost, false},
		{"a delete of another one", http.MethodDelete, nil, lost, false},
		{"several deletes of another one", http.MethodPost, strings.NewReader("<Delete/>"), lost, false},
		{"a write that comes too late", http.MethodPut, &late{strings.NewReader("data"), lose}, nil, false},
	} {
		t.Run(step.what, func(t *testing.T) {
			why = step.before
			whole.Store(0)
			request, err := http.NewRequestWithContext(t.Context(), step.method, server.URL+"/bucket/blob", step.body)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err == nil {
				_ = response.Body.Close()
			}
			if sent := err == nil; sent != step.sent || (whole.Load() == 1) != step.sent {
				t.Errorf("sent: %t, %d arrived whole, want %t", sent, whole.Load(), step.sent)
			}
			if err != nil && !errors.Is(err, lost) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
