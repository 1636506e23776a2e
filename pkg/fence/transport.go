package fence

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Wrap puts the fence in front of a transport, for rest.Config.Wrap. It is below
// client-go's limits of requests, so that what has waited there is judged by the time
// at which it would be sent.
func (f *Fence) Wrap(next http.RoundTripper) http.RoundTripper {
	if f == nil {
		return next
	}
	return &transport{fence: f, next: next}
}

type transport struct {
	fence *Fence
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if !mutates(request) {
		return t.next.RoundTrip(request)
	}
	if err := t.check(); err != nil {
		if request.Body != nil {
			_ = request.Body.Close() // a RoundTripper must
		}
		return nil, err
	}
	return t.next.RoundTrip(t.guard(request))
}

// WrappedRoundTripper tells client-go what is inside.
func (t *transport) WrappedRoundTripper() http.RoundTripper { return t.next }

func (t *transport) check() error {
	if err := t.fence.Check(); err != nil {
		return fmt.Errorf("not sent: %w", err)
	}
	return nil
}

// guard has the fence checked again when the body is read, which is when it is sent:
// a connection may have had to be made first. Without its body a request is void.
func (t *transport) guard(request *http.Request) *http.Request {
	if request.Body == nil || request.Body == http.NoBody {
		return request
	}
	guarded := request.Clone(request.Context())
	guarded.Body = &body{ReadCloser: request.Body, check: t.check}
	if again := request.GetBody; again != nil {
		guarded.GetBody = func() (io.ReadCloser, error) {
			next, err := again()
			if err != nil {
				return nil, err
			}
			return &body{ReadCloser: next, check: t.check}, nil
		}
	}
	return guarded
}

type body struct {
	io.ReadCloser
	check func() error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if refused := b.check(); refused != nil {
		return 0, refused
	}
	return n, err
}

// mutates says whether a request may change something. What it does not know may.
func mutates(request *http.Request) bool {
	path := strings.Trim(request.URL.Path, "/")
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		// A command in a pod is a GET when it is run through a WebSocket.
		return strings.HasSuffix(path, "/exec")
	}
	if request.URL.Query().Get("dryRun") == "All" {
		return false
	}
	// Reviews are questions: .../apis/authorization.k8s.io/v1/selfsubjectaccessreviews,
	// also of a namespace. The server may be below a path of its own.
	for _, group := range []string{"apis/authorization.k8s.io/", "apis/authentication.k8s.io/"} {
		if _, rest, found := strings.Cut(path, group); found && strings.HasSuffix(rest, "reviews") {
			return request.Method != http.MethodPost
		}
	}
	return true
}
