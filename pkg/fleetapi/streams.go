package fleetapi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
)

// streams ends what has no end by itself, when this server ends: watches, logs that are
// followed, and connections that were upgraded. Everything else is left to its end.
type streams struct {
	over context.Context //nolint:containedctx // the life of the server, not of a call
}

// follow has a request end with its connection to the member, and one that is upgraded
// with this server as well. done is to be called when it has ended.
func (s *streams) follow(ended context.Context, r *http.Request, upgrade bool) (followed *http.Request, done func()) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := []func() bool{context.AfterFunc(ended, cancel)}
	if upgrade {
		stop = append(stop, context.AfterFunc(s.over, cancel))
	}
	return r.WithContext(ctx), func() {
		for _, f := range stop {
			f()
		}
		cancel()
	}
}

// body ends the answer to a watch, or to logs that are followed, when this server ends:
// as if the member had ended it, which clients go on from.
func (s *streams) body(r *http.Request, of io.ReadCloser) io.ReadCloser {
	query := r.URL.Query()
	if !isTrue(query["watch"]) && !isTrue(query["follow"]) {
		return of
	}
	e := &ending{ReadCloser: of, over: s.over}
	e.stop = context.AfterFunc(s.over, e.end)
	return e
}

// isTrue reads a parameter as API servers do: whatever is neither false nor 0.
func isTrue(values []string) bool {
	return len(values) > 0 && values[0] != "0" && !strings.EqualFold(values[0], "false")
}

// ending is a body that ends early.
type ending struct {
	io.ReadCloser
	over  context.Context //nolint:containedctx // the life of the server, not of a call
	stop  func() bool
	once  sync.Once
	error error
}

func (e *ending) end() { e.once.Do(func() { e.error = e.ReadCloser.Close() }) }

// Read implements io.Reader.
func (e *ending) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil && e.over.Err() != nil {
		err = io.EOF
	}
	return n, err
}

// Close implements io.Closer.
func (e *ending) Close() error {
	e.stop()
	e.end()
	return e.error
}
