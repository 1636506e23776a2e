package fleet

import (
	"sync"
	"time"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// trouble is what is known of a watch that fails, and what the log was told of it.
type trouble struct {
	mu       sync.Mutex
	lastErr  error
	watching bool   // the last watch was accepted
	told     string // what the log was last told to be wrong; empty: nothing
	// unserved and undefined are those of the last Absence.
	unserved, undefined bool
	// problem is why the objects are not followed, since they no longer are, and lasting
	// says that this has been so for a while.
	problem error
	lasting bool
	seen    bool // somebody was told of it
	timer   *time.Timer
}

// Problem returns why what is known of the objects may be out of date: nothing was
// listed, or nothing has been followed for a while.
func (w *Watch[V]) Problem() error {
	if w == nil {
		return nil
	}
	synced := w.Synced()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.problem == nil || !w.lasting && synced {
		return nil
	}
	w.seen = true
	return w.problem
}

// Unserved says that the cluster does not serve the resource at all; Problem says the
// same in words. The objects are those that were known before; none where the
// resource is not defined any more.
func (w *Watch[V]) Unserved() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unserved
}

// Undefined says that the cluster has no such resource, so that there are no objects.
func (w *Watch[V]) Undefined() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.undefined
}

// fail notes why a list or watch has failed, and says whether that is news. lasts is
// called when that has been so for as long as patience, and whenever the reason changes
// from then on.
func (t *trouble) fail(absence Absence, patience time.Duration, lasts func()) (news bool) {
	t.mu.Lock()
	text := errtext.Stable(absence.Why)
	news, t.told = t.told != text, text
	t.lastErr, t.problem, t.watching = absence.Why, absence.Why, false
	t.unserved, t.undefined = absence.Unserved, absence.Undefined
	switch {
	case t.unserved:
		t.lasting = true // nothing else is to be expected
	case t.timer == nil:
		t.timer = time.AfterFunc(patience, func() {
			if t.last() {
				lasts()
			}
		})
	}
	lasting := t.lasting
	t.mu.Unlock()
	if news && lasting {
		lasts()
	}
	return news
}

// last notes that patience is over; false if there is nothing wrong any more, or it was
// said already.
func (t *trouble) last() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.problem == nil || t.lasting {
		return false
	}
	t.lasting = true
	return true
}

// listed notes that a list has arrived, accepted that a watch was begun; both say
// whether it is news that the objects are followed, and whether that ends a Problem.
// That takes the two of them: where lists work and watches are refused, nothing has
// become better.
func (t *trouble) listed() (news, ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastErr, t.unserved, t.undefined = nil, false, false
	return t.follows()
}

func (t *trouble) accepted(resumed bool) (news, ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watching = true
	if resumed {
		t.lastErr, t.unserved, t.undefined = nil, false, false // it was listed before
	}
	return t.follows()
}

// follows says whether the objects are followed, and the log was last told otherwise. The caller holds mu.
func (t *trouble) follows() (news, ended bool) {
	if t.lastErr != nil || !t.watching || t.told == "" {
		return false, false
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	ended = t.lasting || t.seen
	t.told, t.problem, t.lasting, t.seen, t.timer = "", nil, false, false, nil
	return true, ended
}
