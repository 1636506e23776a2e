package fence

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrNotLeading is what every refusal is.
var ErrNotLeading = errors.New("this controller does not lead any more")

// Fence is open while a Lease is held for certain. A nil Fence is always open.
type Fence struct {
	// lease is namespace/name, for messages.
	lease    string
	validity time.Duration
	now      func() time.Duration
	lost     chan struct{}

	mu sync.Mutex
	// held: the Lease has been held since the fence was made, or since it was given up.
	held bool
	// renewed is when the request was sent that renewed the Lease last.
	renewed time.Duration
	// doubtful: somebody else has written the Lease since.
	doubtful bool
	why      error // the Lease is lost; never unset
}

// New returns a closed fence for a Lease of that duration, called namespace/name.
//
// Another one may take the Lease once it has seen it unchanged for its whole duration,
// which begins after our renewal was sent. A tenth of it is left for what is on its
// way by then, and for clocks that differ.
func New(lease string, duration time.Duration) *Fence {
	return &Fence{lease: lease, validity: duration - duration/10, now: bootTime, lost: make(chan struct{})}
}

// Lost is closed when the Lease, having been held, is lost.
func (f *Fence) Lost() <-chan struct{} {
	if f == nil {
		return nil
	}
	return f.lost
}

// Err says why the Lease is lost; nil while it is not.
func (f *Fence) Err() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.why
}

// Check returns an error that is ErrNotLeading unless the Lease is held now.
func (f *Fence) Check() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.lapsed():
		return f.why
	case !f.held:
		return fmt.Errorf("%w: it does not hold the Lease %s", ErrNotLeading, f.lease)
	case f.doubtful:
		return fmt.Errorf("%w: somebody else has written the Lease %s", ErrNotLeading, f.lease)
	}
	return nil
}

// lapsed says whether the Lease is lost; it is, once it has not been renewed in time,
// also if it could be had again: others may have decided in the meantime, and what was
// decided here was decided without knowing what. f.mu is held.
func (f *Fence) lapsed() bool {
	if age := f.now() - f.renewed; f.why == nil && f.held && age >= f.validity {
		f.lose(fmt.Errorf("%w: it last renewed the Lease %s %s ago, which is good for %s; what it had decided is void, and it must begin anew",
			ErrNotLeading, f.lease, age.Round(time.Millisecond), f.validity))
	}
	return f.why != nil
}

// lose notes that the Lease is lost. f.mu is held.
func (f *Fence) lose(why error) {
	f.why = why
	close(f.lost)
}

// saw is told who holds the Lease.
func (f *Fence) saw(holder, us string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held && f.why == nil && holder != us {
		f.lose(fmt.Errorf("%w: the Lease %s is held by %q now; what this one had decided is void, and it must begin anew", ErrNotLeading, f.lease, holder))
	}
}

// begin returns the time that counts for a renewal that is sent now, or why there
// can be none.
func (f *Fence) begin() (time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lapsed() {
		return 0, f.why
	}
	return f.now(), nil
}

// took notes that a renewal sent at that time was carried out.
func (f *Fence) took(sent time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held, f.doubtful, f.renewed = true, false, sent
}

// doubt closes the fence until the next renewal.
func (f *Fence) doubt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doubtful = true
}

// gaveUp closes the fence: the Lease is about to be released.
func (f *Fence) gaveUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = false
}
