package capacity

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
)

// connection is one to a member.
type connection struct {
	cluster.Cluster

	server *httptest.Server
}

func (c *connection) GetConfig() *rest.Config     { return &rest.Config{Host: c.server.URL} }
func (c *connection) GetHTTPClient() *http.Client { return c.server.Client() }

// A member that is barred is left: it is looked at once more, so that it is not told of for good
// as it was.
func TestAMemberThatIsLeftIsLookedAt(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	r := &Reader{opts: Options{RequestTimeout: time.Minute}, log: logr.Discard(), members: map[string]*followed{}, news: make(chan struct{}, 1)}
	ctx, leave := context.WithCancel(t.Context())
	if err := r.Engage(ctx, "m", &connection{server: server}); err != nil {
		t.Fatal(err)
	}
	of := func() (engaged, looked bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		m := r.members["m"]
		return m != nil && m.watch != nil, m != nil && m.changed
	}
	if engaged, _ := of(); !engaged {
		t.Fatal("it is not engaged")
	}
	leave()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if engaged, looked := of(); !engaged && looked {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("it is not looked at again")
		}
	}
}
