package answers

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// Bounds of what an API server has to say. Objects have 1.5 MiB at most, lists of
// metadata some 1 KiB for each object.
const (
	// Most is for one answer, for the pages of a list together, and for what a watch
	// tells of the objects that were there before.
	Most = 128 << 20
	// MostTogether is for all answers of one server that are being read at a time.
	MostTogether = 256 << 20
	// MostOfError is for an answer that says that a request has failed. It may quote the object.
	MostOfError = 4 << 20
	// MostOfEvent is for one event of a watch.
	MostOfEvent = 16 << 20
)

// Guard limits what an API server that is not ours can make us read, and follows no
// redirects, which would carry the token to where nobody has looked. A watch has no end,
// but each of its events has. faults remembers what was refused; it may be nil.
func Guard(to http.RoundTripper, faults *Faults) http.RoundTripper {
	return &guard{to: to, faults: faults, together: &atomic.Int64{}}
}

type guard struct {
	to       http.RoundTripper
	faults   *Faults
	together *atomic.Int64 // bytes of the answers that are being read
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := g.to.RoundTrip(r)
	if err != nil || response.StatusCode == http.StatusSwitchingProtocols {
		return response, err
	}
	refuse := func(why error) error {
		refused := &RefusedError{Request: r.Method + " " + r.URL.Path, Why: why}
		g.faults.note(refused)
		return refused
	}
	if redirect := RedirectOf(r, response); redirect != nil {
		_ = response.Body.Close()
		return nil, refuse(redirect)
	}
	boundRetryAfter(response.Header)
	b := &body{ReadCloser: response.Body, refuse: refuse, together: g.together}
	switch {
	case response.StatusCode >= http.StatusMultipleChoices:
		b.left = min(LimitOf(r.Context(), Most), MostOfError)
	case watches(r):
		b.initial, _ = r.Context().Value(initialKey{}).(*Initial)
		b.events = &events{}
		if strings.Contains(response.Header.Get("Content-Type"), "protobuf") {
			b.events = nil // client-go reads these frames into a buffer that it bounds
		}
		b.endless, b.left = b.initial == nil, Most
		if b.initial != nil && b.initial.letGo > 0 {
			b.left, b.together = b.initial.letGo, nil
		}
	default:
		b.left = LimitOf(r.Context(), Most)
		b.pages, _ = r.Context().Value(pagesKey{}).(*Pages)
	}
	response.Body = b
	if response.StatusCode >= http.StatusMultipleChoices {
		response.Body = WithoutToken(b, r)
	}
	return response, nil
}

// WrappedRoundTripper is what client-go looks for.
func (g *guard) WrappedRoundTripper() http.RoundTripper { return g.to }

// mostRetryAfter is how many seconds a server can have a request wait before it is tried
// again within itself.
const mostRetryAfter = 5

// boundRetryAfter leaves out what would have client-go sleep for as long as the server
// says. Without it the answer is returned, and whoever has asked tries again, ever more
// slowly.
func boundRetryAfter(header http.Header) {
	const name = "Retry-After"
	if seconds, err := strconv.Atoi(header.Get(name)); err != nil || seconds > mostRetryAfter {
		header.Del(name)
	}
}

// RedirectOf says where the answer to a request sends it; nil if it does not.
func RedirectOf(r *http.Request, response *http.Response) *RedirectError {
	if to := response.Header.Get("Location"); redirects(response.StatusCode) && to != "" {
		return &RedirectError{To: target(r.URL, to)}
	}
	return nil
}

func redirects(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func watches(r *http.Request) bool {
	switch r.URL.Query().Get("watch") {
	case "true", "1":
		return true
	}
	return false
}

type limitKey struct{}

// Limit bounds the answers to requests with this context.
func Limit(ctx context.Context, most int64) context.Context {
	return context.WithValue(ctx, limitKey{}, most)
}

// LimitOf is the bound of answers to requests with this context, or otherwise where
// Limit has set none.
func LimitOf(ctx context.Context, otherwise int64) int64 {
	most, _ := ctx.Value(limitKey{}).(int64)
	return cmp.Or(most, otherwise)
}

type initialKey struct{}

// Initial bounds what a watch tells of the objects that were there before it, which
// whoever reads it keeps until it has all of them.
type Initial struct {
	over  atomic.Bool
	letGo int64
}

// WithInitial bounds the beginning of a watch that is requested with this context. letGo is
// how much it may be where each object is let go as soon as it is read, so that the whole
// is never held; otherwise 0.
func WithInitial(ctx context.Context, letGo int64) (context.Context, *Initial) {
	initial := &Initial{letGo: letGo}
	return context.WithValue(ctx, initialKey{}, initial), initial
}

// Over says that the beginning is over: from here on the watch has no end.
func (i *Initial) Over() { i.over.Store(true) }

type pagesKey struct{}

// Pages bounds the pages of one list together: whoever reads them keeps all of them.
type Pages struct{ read atomic.Int64 }

// WithPages bounds the answers to requests with this context together.
func WithPages(ctx context.Context, pages *Pages) context.Context {
	return context.WithValue(ctx, pagesKey{}, pages)
}

// Reset begins another list.
func (p *Pages) Reset() { p.read.Store(0) }

// add is false where the list has become too long.
func (p *Pages) add(n int) bool { return p == nil || p.read.Add(int64(n)) <= Most }

// RefusedError is an answer that was not taken.
type RefusedError struct {
	// Request is its method and path.
	Request string
	Why     error
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s: %s", e.Request, e.Why) }

// Unwrap returns why it was not taken.
func (e *RefusedError) Unwrap() error { return e.Why }

// Wrap is Guard for rest.Config.Wrap.
func Wrap(to http.RoundTripper) http.RoundTripper { return Guard(to, nil) }
