package fleetapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

const http1, http2 = "HTTP/1.1", "HTTP/2.0"

// A client that is slow to send is told what its member says before it has sent everything,
// to the end of it, and that the member has gone. It is not told when it sends some more.
func TestAnswersDoNotWaitForBodies(t *testing.T) {
	t.Parallel()
	answer := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "so it is")
		}
	}
	for name, test := range map[string]struct {
		does http.HandlerFunc
		code int
		// Of a connection of HTTP/1 that ends before an answer, Go's transport tells when the
		// client sends some more.
		onlyHTTP2 bool
	}{
		"is refused":       {answer(http.StatusRequestEntityTooLarge), http.StatusRequestEntityTooLarge, false},
		"is answered":      {answer(http.StatusOK), http.StatusOK, false},
		"is not accepted":  {answer(http.StatusUnauthorized), http.StatusServiceUnavailable, false},
		"has nobody there": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, http.StatusServiceUnavailable, true},
	} {
		for _, from := range []string{http1, http2} {
			for _, to := range []string{http1, http2} {
				if test.onlyHTTP2 && to != http2 {
					continue
				}
				t.Run(name+" from "+from+" by "+to, func(t *testing.T) {
					t.Parallel()
					m := newMemberBy(t, to, "m")
					m.does(func(w http.ResponseWriter, r *http.Request) {
						if r.Proto != to {
							t.Errorf("it speaks %s", r.Proto)
						}
						_, _ = r.Body.Read(make([]byte, 1)) // it is under way
						test.does(w, r)
					})
					expectTold(t, m, from, test.code)
				})
			}
		}
	}
}

// expectTold sends the beginning of a body to a member, by a protocol, and has to be answered.
func expectTold(t *testing.T, m *standIn, protocol string, code int) {
	server := httptest.NewUnstartedServer(proxyFor(t, &hostOfMany{members: []*standIn{m}}, m.name))
	server.EnableHTTP2 = protocol == http2
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	body, rest := io.Pipe()
	t.Cleanup(func() { _ = rest.Close() })
	go func() { _, _ = rest.Write([]byte("{")) }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+fleetv1alpha1.ProxyPath(m.name)+configMaps, body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 10 << 20 // more than a server would wait for
	told := make(chan error, 1)
	go func() {
		response, err := server.Client().Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != code || response.Proto != protocol {
				t.Errorf("%s by %s", response.Status, response.Proto)
			}
		}
		told <- err
	}()
	select {
	case err := <-told:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it is not told")
	}
}
