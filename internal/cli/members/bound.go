package members

import (
	"context"
	"io"
	"net/http"
)

// Bound has requests end with ctx as well: kubectl's code makes its own with no context,
// which would go on when the user has interrupted the command. It is not for upgrades.
func Bound(ctx context.Context, to http.RoundTripper) http.RoundTripper { return &bound{ctx, to} }

type bound struct {
	ctx context.Context //nolint:containedctx // that of the command, for its requests
	to  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b *bound) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(b.ctx, func() { cancel(context.Cause(b.ctx)) })
	end := func() { stop(); cancel(nil) }
	response, err := b.to.RoundTrip(r.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	response.Body = &ending{response.Body, end}
	return response, nil
}

// WrappedRoundTripper is what client-go looks for.
func (b *bound) WrappedRoundTripper() http.RoundTripper { return b.to }

// ending is a body after which nothing is left of its request.
type ending struct {
	io.ReadCloser
	end func()
}

// Close implements io.Closer.
func (e *ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}
