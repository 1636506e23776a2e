package answers

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Faults remembers which answers of a server were refused lately, so that it can be
// said of the server and not only of what was asked for.
type Faults struct {
	mu   sync.Mutex
	seen map[string]fault // by request
}

type fault struct {
	err error
	at  time.Time
}

const (
	// lasting is how long after it was refused an answer is told of: longer than the
	// time between two tries to follow objects.
	lasting    = 2 * time.Minute
	mostFaults = 16
)

func (f *Faults) note(refused *RefusedError) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[string]fault{}
	}
	f.forget()
	if _, known := f.seen[refused.Request]; known || len(f.seen) < mostFaults {
		f.seen[refused.Request] = fault{refused, time.Now()}
	}
}

// Problem says which they are: the first in an order that stays the same, and how many
// there are beside it. It is empty if there is none.
func (f *Faults) Problem() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget()
	if len(f.seen) == 0 {
		return ""
	}
	text := "an answer was refused: " + f.seen[slices.Min(slices.Collect(maps.Keys(f.seen)))].err.Error()
	if others := len(f.seen) - 1; others > 0 {
		text += " (and " + strconv.Itoa(others) + " more)"
	}
	return text
}

func (f *Faults) forget() {
	maps.DeleteFunc(f.seen, func(_ string, old fault) bool { return time.Since(old.at) > lasting })
}
