package reach

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
)

// A Bearer holds the token that the clients of one connection send. It can be replaced
// while they work: what is under way goes on, the next request has the new one.
type Bearer struct {
	token  atomic.Pointer[string]
	plugin *run // what gives the token, in place of it
}

// NewBearer returns one that holds token.
func NewBearer(token string) *Bearer {
	b := &Bearer{}
	b.Set(token)
	return b
}

// bearer is what sends the token of the access.
func (a Access) bearer() *Bearer {
	switch {
	case a.Bearer != nil:
		return a.Bearer
	case a.plugin != nil:
		return &Bearer{plugin: &run{plugin: a.plugin, endpoint: a.Endpoint, ca: a.CA}}
	default:
		return NewBearer(a.Token)
	}
}

// WithBearer is the access with a bearer of its own, which all its clients share.
func (a Access) WithBearer() Access {
	a.Bearer = a.bearer()
	return a
}

func (b *Bearer) get(ctx context.Context) (string, error) {
	if b.plugin != nil {
		return b.plugin.get(ctx)
	}
	return *b.token.Load(), nil
}

// Set replaces the token.
func (b *Bearer) Set(token string) { b.token.Store(&token) }

// wrap puts the token into requests that have none.
func (b *Bearer) wrap(next http.RoundTripper) http.RoundTripper { return &bearing{b, next} }

type bearing struct {
	bearer *Bearer
	next   http.RoundTripper
}

func (t *bearing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Header.Get("Authorization") != "" {
		return t.next.RoundTrip(request)
	}
	token, err := t.bearer.get(request.Context())
	if err != nil {
		return nil, fmt.Errorf("no token: %w", err)
	}
	request = request.Clone(request.Context()) // which a round tripper must not change
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := t.next.RoundTrip(request)
	if err == nil && answer.StatusCode == http.StatusUnauthorized && t.bearer.plugin != nil {
		t.bearer.plugin.refused(token)
	}
	return answer, err
}

// WrappedRoundTripper is what client-go looks for.
func (t *bearing) WrappedRoundTripper() http.RoundTripper { return t.next }
