package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// watcher prints the rows that change until its context ends. Informers do the
// watching: they outlive an expired watch and a server that is away for a while,
// and after a new list they tell what went missing in between.
type watcher struct {
	*source

	changes chan view.ObjectRow
	types   chan []typeconfig.Type
	// followed are the types whose objects are watched, by name.
	followed map[string]*followed
}

// followed is a type whose objects are watched.
type followed struct {
	query  query
	store  cache.Store
	synced cache.InformerSynced
	stop   context.CancelFunc
}

func (s *source) watch(ctx context.Context, listed []view.ObjectRow, out *output) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watcher{source: s, changes: make(chan view.ObjectRow, 100), types: make(chan []typeconfig.Type), followed: map[string]*followed{}}
	var synced []cache.InformerSynced
	for _, q := range s.queries {
		if err := w.follow(ctx, q); err != nil {
			return err
		}
		synced = append(synced, w.followed[q.typ.Name].synced)
	}
	began := maps.Clone(w.followed)
	caughtUp := make(chan struct{})
	go func() {
		defer close(caughtUp)
		cache.WaitForCacheSync(ctx.Done(), synced...)
	}()
	if err := w.watchTypes(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil // interrupted, which is how a watch ends
		case changed := <-w.changes:
			if err := out.printChange(changed); err != nil {
				return err
			}
		case types := <-w.types:
			if err := w.followOnly(ctx, types); err != nil {
				return err
			}
		case <-caughtUp:
			caughtUp = nil
			if err := printVanished(listed, began, out); err != nil {
				return err
			}
		}
	}
}

// printVanished prints the rows that were deleted between the list that was
// printed and the start of the watch.
func printVanished(listed []view.ObjectRow, watched map[string]*followed, out *output) error {
	for _, r := range listed {
		f := watched[r.Type]
		if f == nil {
			continue
		}
		if _, exists, err := f.store.GetByKey(cache.NewObjectName(r.Namespace, r.Name).String()); err == nil && !exists {
			r.Propagated = view.Deleted
			if err := out.printChange(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// follow starts to watch what the query is for.
func (w *watcher) follow(ctx context.Context, q query) error {
	ctx, stop := context.WithCancel(ctx)
	informer := dynamicinformer.NewFilteredDynamicInformer(w.dynamic, q.typ.Federated.GVR, q.namespace, 0, cache.Indexers{}, func(options *metav1.ListOptions) {
		narrow := q.options(w.opts.Selector)
		options.LabelSelector, options.FieldSelector = narrow.LabelSelector, narrow.FieldSelector
	}).Informer()
	send := func(obj any, isGone bool) {
		u := objectOf(obj)
		if u == nil || !q.wants(u) {
			return
		}
		r := q.row(u)
		if isGone {
			r.Propagated = view.Deleted
		}
		select {
		case w.changes <- r:
		case <-ctx.Done():
		}
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { send(obj, false) },
		UpdateFunc: func(_, obj any) { send(obj, false) },
		DeleteFunc: func(obj any) { send(obj, true) },
	})
	if err == nil {
		err = informer.SetWatchErrorHandlerWithContext(w.warnOnce(q.typ.CRDName()))
	}
	if err != nil {
		stop()
		return err
	}
	w.followed[q.typ.Name] = &followed{query: q, store: informer.GetStore(), synced: registration.HasSynced, stop: stop}
	go informer.RunWithContext(ctx)
	return nil
}

// objectOf is the object of an informer's event.
func objectOf(obj any) *unstructured.Unstructured {
	if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = tombstone.Obj
	}
	u, _ := obj.(*unstructured.Unstructured)
	return u
}

// warnOnce says what is wrong with a watch when that changes; the informer goes
// on trying. What belongs to the ordinary life of a watch is not told.
func (w *watcher) warnOnce(what string) cache.WatchErrorHandlerWithContext {
	last := ""
	return func(ctx context.Context, _ *cache.Reflector, err error) {
		if ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return
		}
		reason := err
		var request *url.Error
		if errors.As(err, &request) {
			reason = request.Err // without the URL, which differs from try to try
		}
		if reason.Error() == last {
			return
		}
		last = reason.Error()
		w.note("warning: watching %s, trying again: %v", what, reason)
	}
}

// note tells what is no row.
func (w *watcher) note(format string, args ...any) {
	_, _ = fmt.Fprintf(w.opts.factory.ErrOut, format+"\n", args...)
}
