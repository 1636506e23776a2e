package fleetapi

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A client that does not read ends what is written for it, and one that reads is not ended
// by the time that was for an earlier part.
func TestClientsThatDoNotReadAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			written := make(chan error, 3)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				h := &holding{w: w, header: func(http.Header) {}, until: func() time.Time { return time.Now().Add(200 * time.Millisecond) }}
				h.buf = []byte("first")
				written <- h.flush()
				time.Sleep(time.Second) // quiet
				h.buf = []byte("second")
				written <- h.flush()
				h.buf = bytes.Repeat([]byte("x"), 64<<20)
				written <- h.flush()
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			response, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close() //nolint:errcheck // not read
			if _, err := response.Body.Read(make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := <-written; err != nil {
					t.Fatal(err)
				}
			}
			select {
			case err := <-written:
				if err == nil {
					t.Error("64 MiB are written to a client that does not read")
				}
			case <-time.After(time.Minute):
				server.CloseClientConnections()
				t.Error("a client that does not read is waited for")
			}
		})
	}
}
