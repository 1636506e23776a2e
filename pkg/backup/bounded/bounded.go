// Package bounded keeps what others say within limits: commands in pods, API servers,
// storage. It is pure but for a lock, and imports pkg/errtext only.
package bounded

import (
	"sync"
	"unicode/utf8"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Message is how many bytes of others' text fit into a status's message: conditions
// take 32 KiB, and many messages have to fit into one object.
const Message = 2 << 10

const cut = "…"

// Tail keeps the end of what is written to it, from any number of goroutines. It has
// no other way in than Write, so that nothing goes round its limit.
type Tail struct {
	mu    sync.Mutex
	limit int
	kept  []byte
	lost  bool
}

// NewTail returns a Tail of so many bytes.
func NewTail(limit int) *Tail { return &Tail{limit: limit} }

// Write implements io.Writer.
func (t *Tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(data)
	if len(data) > t.limit {
		data, t.lost = data[len(data)-t.limit:], true
	}
	if extra := len(t.kept) + len(data) - t.limit; extra > 0 {
		t.kept, t.lost = t.kept[:copy(t.kept, t.kept[extra:])], true
	}
	t.kept = append(t.kept, data...)
	return n, nil
}

// String is what was kept, as errtext.Bounded would say it; a mark at its beginning says that
// there was more.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.kept
	for len(kept) > 0 && t.lost && !utf8.RuneStart(kept[0]) {
		kept = kept[1:]
	}
	text := errtext.Bounded(string(kept), 2*t.limit)
	if t.lost && text != "" {
		return cut + text
	}
	return text
}
