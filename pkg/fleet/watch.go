package fleet

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Watch is one running watch and the table that it fills. What may be asked of a
// watch may be asked of nil as well: there is none, and nothing is known.
type Watch[V any] struct {
	table *Table[V]
	log   logr.Logger
	began time.Time
	// heard is when the member has last told anything, in nanoseconds since 1970.
	heard atomic.Int64
	// onTrouble and patience are the source's.
	onTrouble func()
	patience  time.Duration
	stop      context.CancelFunc
	ended     func() bool
	done      chan struct{}
	trouble
}

var (
	_ cache.ReflectorStore         = &Watch[int]{}
	_ cache.ReflectorBookmarkStore = &Watch[int]{}
)

// NewWatch returns a watch that fills table until ctx ends or it is stopped, with what
// it is given as a cache.ReflectorStore. Nothing runs it: Follow does both.
func NewWatch[V any](ctx context.Context, table *Table[V]) *Watch[V] {
	w, _ := newWatch(ctx, table)
	return w
}

func newWatch[V any](ctx context.Context, table *Table[V]) (*Watch[V], context.Context) {
	ctx, cancel := context.WithCancel(ctx) //nolint:gosec // Stop calls it
	w := &Watch[V]{
		table: table, log: logr.Discard(), began: time.Now(), stop: cancel, done: make(chan struct{}),
		onTrouble: func() {}, patience: patience,
		ended: func() bool { return ctx.Err() != nil },
	}
	w.hear()
	return w, ctx
}

// Follow keeps table filled with what source has, in the background, until ctx ends
// or the watch is stopped. A list or watch that fails is tried again, ever more
// slowly; nothing waits for it, and the log hears of it once.
func Follow[V any](ctx context.Context, source Source, table *Table[V]) *Watch[V] {
	w, ctx := newWatch(ctx, table)
	w.log = source.Log
	if source.OnTrouble != nil {
		w.onTrouble = source.OnTrouble
	}
	if source.Patience > 0 {
		w.patience = source.Patience
	}
	reflector := cache.NewReflectorWithOptions(
		source.listWatch(
			func(ctx context.Context, err error) { w.failed(ctx, source, err) },
			func(resumed bool) { w.tell(w.accepted(resumed)) }),
		source.Example, thinning[V]{watch: w}, cache.ReflectorOptions{Name: source.Name, TypeDescription: source.Type, Backoff: source.backoff()})
	go func() {
		defer close(w.done)
		// The reflector logs every try that fails as an error; failed says it once.
		reflector.RunWithContext(klog.NewContext(ctx, logr.Discard()))
	}()
	return w
}

// Stop ends the watch: whatever it still delivers is dropped.
func (w *Watch[V]) Stop() { w.stop() }

// Done is closed when a watch that Follow runs has ended and delivers nothing more.
func (w *Watch[V]) Done() <-chan struct{} { return w.done }

// Ended says whether the watch has been ended.
func (w *Watch[V]) Ended() bool { return w.ended() }

// Age is how long ago the watch was begun.
func (w *Watch[V]) Age() time.Duration { return time.Since(w.began) }

// Heard is when the cluster has last told anything by this watch: an object, a list, or
// that there is nothing new, which API servers say once a minute by a bookmark. Of a watch
// that was never told anything it is when it was begun.
func (w *Watch[V]) Heard() time.Time { return time.Unix(0, w.heard.Load()) }

func (w *Watch[V]) hear() { w.heard.Store(time.Now().UnixNano()) }

// Get returns what is known of an object.
func (w *Watch[V]) Get(key types.NamespacedName) *V {
	if w == nil {
		return nil
	}
	return w.table.Get(key)
}

// Look is Get, and whether what is known was complete then.
func (w *Watch[V]) Look(key types.NamespacedName) (value *V, synced bool) {
	if w == nil {
		return nil, false
	}
	return w.table.Look(key)
}

// Keys returns the keys of all objects, or of those in one namespace.
func (w *Watch[V]) Keys(namespace string) []types.NamespacedName {
	if w == nil {
		return nil
	}
	return w.table.Keys(namespace)
}

// At returns the objects that the rules' Index has there, in no order.
func (w *Watch[V]) At(index any) []*V {
	if w == nil {
		return nil
	}
	return w.table.At(index)
}

// Synced says whether what is known is complete.
func (w *Watch[V]) Synced() bool { return w != nil && w.table.Synced() }

// Observe records what a write of ours has returned; see Table.Observe. A write that
// was on its way when the watch was ended, perhaps to another cluster by now, tells
// nothing of what the watch after it follows.
func (w *Watch[V]) Observe(key types.NamespacedName, written *V) {
	w.table.observe(key, written, w.ended)
}

// Swap records what a write of ours has made of seen; see Table.Swap.
func (w *Watch[V]) Swap(key types.NamespacedName, seen, written *V) {
	w.table.Swap(key, seen, written)
}

// Forget drops what is known of an object that has turned out to be gone; see Table.Forget.
func (w *Watch[V]) Forget(key types.NamespacedName, meant func(known *V) bool) {
	w.table.forget(key, meant, w.ended)
}

// patience is how long a watch may fail, as it does when an API server starts anew,
// before that is a Problem.
const patience = 5 * time.Second

// failed notes why a list or watch has failed.
func (w *Watch[V]) failed(ctx context.Context, source Source, err error) {
	if ctx.Err() != nil {
		return // it was ended
	}
	absence := Absence{Why: err}
	if apierrors.IsNotFound(err) && source.WhyNotFound != nil {
		absence = source.WhyNotFound(ctx, err)
	}
	if w.Unserved() && !apierrors.IsNotFound(err) {
		absence.Unserved, absence.Undefined = true, w.Undefined() // nothing is known that speaks against it
	}
	if ctx.Err() != nil {
		return // while that was asked
	}
	first := absence.Unserved && !w.Unserved()
	if w.fail(absence, w.patience, w.troubled) {
		w.log.Info("Could not follow objects; trying again", "error", errtext.Stable(absence.Why))
	}
	switch {
	case absence.Undefined && (first || w.table.Len() > 0):
		_ = w.table.replace(nil, "0", w.ended) // its objects have gone with the resource; an empty list is always accepted
	case first:
		w.table.stand(w.ended)
	}
}

// troubled tells the owner that there is a Problem, or none any more.
func (w *Watch[V]) troubled() {
	if !w.ended() {
		w.onTrouble()
	}
}

// tell logs that objects are followed again, if that is news.
func (w *Watch[V]) tell(news, ended bool) {
	if news {
		w.log.Info("Objects are followed again")
	}
	if ended {
		w.troubled()
	}
}

// The methods that follow are cache.ReflectorStore's: what a reflector delivers after
// the watch has been ended is dropped.

// Add implements cache.ReflectorStore.
func (w *Watch[V]) Add(obj any) error {
	w.hear()
	return w.table.put(obj, w.ended)
}

// Update implements cache.ReflectorStore.
func (w *Watch[V]) Update(obj any) error {
	w.hear()
	return w.table.put(obj, w.ended)
}

// Delete implements cache.ReflectorStore.
func (w *Watch[V]) Delete(obj any) error {
	w.hear()
	return w.table.remove(obj, w.ended)
}

// Replace implements cache.ReflectorStore.
func (w *Watch[V]) Replace(list []any, resourceVersion string) error {
	if w.ended() {
		return nil
	}
	w.hear()
	news, ended := w.listed()
	err := w.table.replace(list, resourceVersion, w.ended)
	w.tell(news, ended)
	return err
}

// Resync implements cache.ReflectorStore; there is no periodic resync.
func (w *Watch[V]) Resync() error { return nil }

// Bookmark implements cache.ReflectorBookmarkStore.
func (w *Watch[V]) Bookmark(resourceVersion string) error {
	w.hear()
	w.table.bookmark(resourceVersion, w.ended)
	return nil
}
