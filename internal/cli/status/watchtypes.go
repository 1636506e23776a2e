package status

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// watchTypes sends the enabled types whenever a FederatedTypeConfig comes, changes
// or goes, so that the watch takes up what is enabled while it runs.
func (w *watcher) watchTypes(ctx context.Context) error {
	resource := fedcorev1beta1.SchemeGroupVersion.WithResource("federatedtypeconfigs")
	informer := dynamicinformer.NewFilteredDynamicInformer(w.dynamic, resource, w.opts.factory.KubeFedNamespace, 0, cache.Indexers{}, nil).Informer()
	if err := informer.SetWatchErrorHandlerWithContext(w.warnOnce(resource.GroupResource().String())); err != nil {
		return err
	}
	changed := make(chan struct{}, 1)
	signal := func() {
		select {
		case changed <- struct{}{}:
		default: // there is one waiting
		}
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { signal() },
		UpdateFunc: func(any, any) { signal() },
		DeleteFunc: func(any) { signal() },
	})
	if err != nil {
		return err
	}
	go informer.RunWithContext(ctx)
	go func() {
		if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
			return
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			select {
			case <-ctx.Done():
				return
			case w.types <- typesOf(informer.GetStore().List()):
			}
		}
	}()
	return nil
}

// typesOf reads FederatedTypeConfigs. One that cannot be read enables nothing.
func typesOf(objects []any) []typeconfig.Type {
	var types []typeconfig.Type
	for _, obj := range objects {
		u := objectOf(obj)
		config := &fedcorev1beta1.FederatedTypeConfig{}
		if u == nil || runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, config) != nil {
			continue
		}
		if t, err := typeconfig.FromFederatedTypeConfig(config); err == nil {
			types = append(types, t)
		}
	}
	return types
}

// followOnly starts and stops watches so that those of the enabled types run, as
// far as they were asked for.
func (w *watcher) followOnly(ctx context.Context, enabled []typeconfig.Type) error {
	running := map[string]query{}
	for name, f := range w.followed {
		running[name] = f.query
	}
	start, stop := w.changeOf(running, enabled)
	for _, name := range stop {
		w.followed[name].stop()
		delete(w.followed, name)
		w.note("%s is no longer enabled: its objects are not followed any more.", name)
	}
	for _, q := range start {
		if err := w.follow(ctx, q); err != nil {
			return err
		}
		w.note("%s is enabled now: its objects are followed.", q.typ.Name)
	}
	return nil
}

// changeOf compares the queries that run with those that the enabled types ask
// for; one whose type is federated otherwise now is stopped and started. Without
// a request that is for all types, otherwise for those that were named.
func (s *source) changeOf(running map[string]query, enabled []typeconfig.Type) (start []query, stop []string) {
	wanted := map[string]query{}
	for _, t := range enabled {
		if q, asked := s.queryFor(t); asked {
			wanted[t.Name] = q
		}
	}
	for _, name := range slices.Sorted(maps.Keys(running)) {
		if q, found := wanted[name]; !found || q.typ.Federated != running[name].typ.Federated {
			stop = append(stop, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if _, runs := running[name]; !runs || slices.Contains(stop, name) {
			start = append(start, wanted[name])
		}
	}
	return start, stop
}

// queryFor is the query for a type, and whether it is asked for at all.
func (s *source) queryFor(t typeconfig.Type) (query, bool) {
	if len(s.opts.requests) == 0 {
		q := query{typ: t}
		if t.Federated.Namespaced {
			q.namespace = s.opts.Namespace
		}
		return q, t.Federated.Namespaced || s.opts.AllNamespaces
	}
	i := slices.IndexFunc(s.queries, func(q query) bool { return q.typ.Name == t.Name })
	if i < 0 {
		return query{}, false
	}
	q := s.queries[i]
	q.typ, q.namespace = t, ""
	if t.Federated.Namespaced {
		q.namespace = s.opts.Namespace
	}
	return q, true
}
