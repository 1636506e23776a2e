package events

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/view"
)

// A member that answers every watch with 410 is said to, once, and not listed for ever at the
// same pace.
func TestWatchesThatDoNotHold(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"at once": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusGone)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","code":410,"reason":"Expired","message":"too old"}`)
		},
		"as an event": func(w http.ResponseWriter) {
			_, _ = fmt.Fprint(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","code":410,"reason":"Expired","message":"too old"}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			member := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if r.URL.Query().Get("watch") != "" {
					answer(w)
					return
				}
				_, _ = fmt.Fprint(w, `{"kind":"EventList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[]}`)
			}))
			defer member.Close()
			config := &rest.Config{Host: member.URL}
			ctx, cancel := context.WithCancelCause(t.Context())
			read, write := io.Pipe()
			w := &watching{Options: &Options{Watch: true, printer: &view.Printer{Out: io.Discard, Format: view.JSON}}, notes: members.NewNotes(write), fail: cancel}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				w.follow(ctx, members.Member{Name: "west", Config: config, Streams: config}, nil)
			}()
			said := make([]byte, 4096)
			n, err := read.Read(said)
			if want := "Warning: cluster west: its watches do not hold"; err != nil || !strings.HasPrefix(string(said[:n]), want) {
				t.Errorf("said %q, %v, want %q", said[:n], err, want)
			}
			cancel(nil)
			<-ended
		})
	}
}
