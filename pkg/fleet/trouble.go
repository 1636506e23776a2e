package fleet

import (
	"sync"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// trouble is what is known of a watch that fails, and what the log was told of it.
type trouble struct {
	mu       sync.Mutex
	lastErr  error
	missing  bool   // the cluster does not serve the resource in any version
	watching bool   // the last watch was accepted
	told     string // what the log was last told to be wrong; empty: nothing
}

// Err returns why the last list or watch failed, nil once one has succeeded.
func (w *Watch[V]) Err() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lastErr
}

// Unserved says that the cluster does not serve the resource at all, so that it
// holds none of the objects; Err says the same in words.
func (w *Watch[V]) Unserved() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.missing
}

// fail notes why a list or watch has failed, and says whether that is news.
func (t *trouble) fail(err error, missing bool) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastErr, t.missing, t.watching = err, missing, false
	text := errtext.Stable(err)
	news, t.told = t.told != text, text
	return news
}

// listed notes that a list has arrived, accepted that a watch was begun; both say
// whether it is news that the objects are followed. That takes the two of them:
// where lists work and watches are refused, nothing has become better.
func (t *trouble) listed() (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastErr, t.missing = nil, false
	return t.follows()
}

func (t *trouble) accepted() (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watching = true
	return t.follows()
}

// follows says whether the objects are followed, and the log was last told otherwise. The caller holds mu.
func (t *trouble) follows() (news bool) {
	if t.lastErr != nil || !t.watching || t.told == "" {
		return false
	}
	t.told = ""
	return true
}
