package answers

import (
	"errors"
	"io"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// What is wrong with an answer.
var (
	ErrTooMuch      = errors.New("the answer is longer than what was asked for")
	errEventTooLong = errors.New("an event of the watch is longer than any object")
	errPages        = errors.New("the pages of the list are too long together")
	errTogether     = errors.New("its answers that are being read are too long together")
)

// RedirectError is an answer that sends the request to another address.
type RedirectError struct{ To string }

func (e *RedirectError) Error() string {
	return "the answer is a redirect to " + e.To + ", which is not followed: name the address itself"
}

// target is where a redirect leads, without what may hold a secret.
func target(from *url.URL, location string) string {
	to, err := from.Parse(location)
	if err != nil {
		return "what is not a URL"
	}
	return errtext.Bounded((&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}).String(), 256)
}

// Body is a body that fails, instead of ending, where it is too long: what was read is
// not all of it.
func Body(of io.ReadCloser, most int64) io.ReadCloser {
	return &body{ReadCloser: of, left: most, refuse: func(why error) error { return why }}
}

type body struct {
	io.ReadCloser
	refuse func(error) error
	// left is how much may come, unless it is endless.
	left    int64
	endless bool
	initial *Initial // of a watch: what left is for
	events  *events  // of a watch: each is bounded

	pages    *Pages        // of a list; nil: it has one
	together *atomic.Int64 // nil: it is the only one
	held     atomic.Int64  // of together
	closed   sync.Once
}

// Read implements io.Reader.
func (b *body) Read(into []byte) (int, error) {
	if b.initial != nil && b.initial.over.Load() {
		b.initial, b.endless = nil, true
		b.release()
	}
	if !b.endless && int64(len(into)) > b.left+1 {
		into = into[:b.left+1]
	}
	n, err := b.ReadCloser.Read(into)
	if b.events != nil && !b.events.take(into[:n]) {
		return n, b.refuse(errEventTooLong)
	}
	if b.endless {
		return n, err
	}
	if b.left -= int64(n); b.left < 0 {
		return n, b.refuse(ErrTooMuch)
	}
	if !b.pages.add(n) {
		return n, b.refuse(errPages)
	}
	if b.together != nil {
		b.held.Add(int64(n))
		if b.together.Add(int64(n)) > MostTogether {
			return n, b.refuse(errTogether)
		}
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.closed.Do(b.release)
	return b.ReadCloser.Close()
}

// release gives back what the body has held of what a server's answers may hold together.
func (b *body) release() {
	if b.together != nil {
		b.together.Add(-b.held.Swap(0))
	}
}

// events follows the values of a stream of JSON, to find one that has no end: whoever
// decodes it reads the whole of it first.
type events struct {
	depth             int
	inString, escaped bool
	size              int64
}

// take is false where a value has become too long.
func (e *events) take(data []byte) bool {
	for _, c := range data {
		e.size++
		switch {
		case e.escaped:
			e.escaped = false
		case e.inString:
			e.escaped, e.inString = c == '\\', c != '"'
		case c == '"':
			e.inString = true
		case c == '{', c == '[':
			e.depth++
		case c == '}', c == ']':
			if e.depth--; e.depth <= 0 {
				e.depth, e.size = 0, 0
			}
		}
		if e.size > MostOfEvent {
			return false
		}
	}
	return true
}
