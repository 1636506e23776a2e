package network

import (
	"fmt"
	"io"
	"net/http"
)

// RefusedError is why a request that would change something was not sent.
type RefusedError struct{ Why error }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("nothing is written to the storage: %s", e.Why)
}

// Unwrap returns what MayWrite has said.
func (e *RefusedError) Unwrap() error { return e.Why }

// Writable says whether anything may be written now; a *RefusedError if not.
func (r Rules) Writable() error {
	if r.MayWrite == nil {
		return nil
	}
	if err := r.MayWrite(); err != nil {
		return &RefusedError{err}
	}
	return nil
}

// fence is the request, refused unless it may be sent. What is not read, writes.
func (r Rules) fence(request *http.Request) (*http.Request, error) {
	if r.MayWrite == nil || request.Method == http.MethodGet || request.Method == http.MethodHead {
		return request, nil
	}
	if err := r.Writable(); err != nil {
		if request.Body != nil {
			_ = request.Body.Close() // a RoundTripper must
		}
		return nil, err
	}
	if request.Body == nil || request.Body == http.NoBody {
		return request, nil
	}
	guarded := request.Clone(request.Context())
	guarded.Body = &fencedBody{request.Body, r}
	if again := request.GetBody; again != nil {
		guarded.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return &fencedBody{body, r}, nil
		}
	}
	return guarded, nil
}

// fencedBody ends with an error once nothing may be written: without its body a request is void.
type fencedBody struct {
	io.ReadCloser
	rules Rules
}

func (b *fencedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if refused := b.rules.Writable(); refused != nil {
		return 0, refused
	}
	return n, err
}
