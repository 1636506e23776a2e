package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// watch prints the rows that change until ctx ends. Informers do the watching:
// they outlive an expired watch and a server that is away for a while, and after
// a new list they tell what went missing in between.
func (s *source) watch(ctx context.Context, listed []row, out *output) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := make(chan row, 100)
	var synced []cache.InformerSynced
	var stores []cache.Store
	for i := range s.queries {
		registration, store, err := s.startInformer(ctx, &s.queries[i], changes)
		if err != nil {
			return err
		}
		synced, stores = append(synced, registration), append(stores, store)
	}
	caughtUp := make(chan struct{})
	go func() {
		defer close(caughtUp)
		cache.WaitForCacheSync(ctx.Done(), synced...)
	}()
	for {
		select {
		case <-ctx.Done():
			return nil // interrupted, which is how a watch ends
		case changed := <-changes:
			if err := out.printChange(changed); err != nil {
				return err
			}
		case <-caughtUp:
			caughtUp = nil
			if err := s.printVanished(listed, stores, out); err != nil {
				return err
			}
		}
	}
}

// printVanished prints the rows that were deleted between the list that was
// printed and the start of the watch.
func (s *source) printVanished(listed []row, stores []cache.Store, out *output) error {
	for _, r := range listed {
		for i := range s.queries {
			if s.queries[i].typ.Name != r.Type {
				continue
			}
			key := cache.NewObjectName(r.Namespace, r.Name).String()
			if _, exists, err := stores[i].GetByKey(key); err == nil && !exists {
				r.Propagated = deleted
				if err := out.printChange(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *source) startInformer(ctx context.Context, q *query, changes chan<- row) (cache.InformerSynced, cache.Store, error) {
	informer := dynamicinformer.NewFilteredDynamicInformer(s.dynamic, q.typ.Federated.GVR, q.namespace, 0, cache.Indexers{}, func(options *metav1.ListOptions) {
		narrow := q.options(s.opts.Selector)
		options.LabelSelector, options.FieldSelector = narrow.LabelSelector, narrow.FieldSelector
	}).Informer()
	if err := informer.SetWatchErrorHandlerWithContext(s.warnOnce(q.typ)); err != nil {
		return nil, nil, err
	}
	send := func(obj any, isGone bool) {
		if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = tombstone.Obj
		}
		u, ok := obj.(*unstructured.Unstructured)
		if !ok || !q.wants(u) {
			return
		}
		r := newRow(q.typ, u)
		if isGone {
			r.Propagated = deleted
		}
		select {
		case changes <- r:
		case <-ctx.Done():
		}
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { send(obj, false) },
		UpdateFunc: func(_, obj any) { send(obj, false) },
		DeleteFunc: func(obj any) { send(obj, true) },
	})
	if err != nil {
		return nil, nil, err
	}
	go informer.RunWithContext(ctx)
	return registration.HasSynced, informer.GetStore(), nil
}

// warnOnce says what is wrong with a watch when that changes; the informer goes
// on trying. What belongs to the ordinary life of a watch is not told.
func (s *source) warnOnce(t typeconfig.Type) cache.WatchErrorHandlerWithContext {
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
		_, _ = fmt.Fprintf(s.opts.factory.ErrOut, "warning: watching %s, trying again: %v\n", t.CRDName(), reason)
	}
}
