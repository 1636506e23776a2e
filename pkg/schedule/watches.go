package schedule

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// watching is a running watch and what it keeps.
type watching[V any] struct {
	*table[V]
	began time.Time
	stop  func()
}

// lister lists and watches one resource; clients of objects and of their metadata
// alone both do.
type lister struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
	// selector is a label selector; empty for all objects.
	selector string
	example  runtime.Object
}

// startWatch runs a watch in the background until ctx ends or it is stopped. A
// list or watch that fails is tried again, ever more slowly; nothing waits for it.
func startWatch[V any](ctx context.Context, log logr.Logger, name string, l lister, t *table[V]) *watching[V] {
	ctx, cancel := context.WithCancel(ctx)
	failures := &failures{log: log.WithValues("watch", name)}
	reflector := cache.NewReflectorWithOptions(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = l.selector
			list, err := l.list(ctx, options)
			failures.listed(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = l.selector
			result, err := l.watch(ctx, options)
			failures.watched(ctx, err)
			return result, err
		},
	}, l.example, t, cache.ReflectorOptions{
		Name:    "schedule: " + name,
		Backoff: &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 7, Cap: 30 * time.Second},
	})
	// The reflector logs every try that fails as an error; failures says it once.
	go reflector.RunWithContext(klog.NewContext(ctx, logr.Discard()))
	return &watching[V]{table: t, began: time.Now(), stop: func() { t.Close(); cancel() }}
}

// failures tells the log that a watch has begun to fail, or does for another
// reason, and that it works again. The reflector calls it from one goroutine.
type failures struct {
	log  logr.Logger
	told string
}

func (f *failures) listed(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	if text := errtext.Stable(err); text != f.told {
		f.told = text
		f.log.Info("Could not watch; trying again", "error", text)
	}
}

// watched is listed for a watch; that one was accepted means that all is well.
func (f *failures) watched(ctx context.Context, err error) {
	f.listed(ctx, err)
	if err == nil && f.told != "" {
		f.told = ""
		f.log.Info("The watch works again")
	}
}

// watchPreferences watches all ReplicaSchedulingPreferences.
func (s *Scheduler) watchPreferences(ctx context.Context) *watching[preference] {
	resource := s.host.Resource(preferenceGVR).Namespace(s.opts.TargetNamespace)
	return startWatch(ctx, s.log, "preferences", lister{
		list:    func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return resource.List(ctx, o) },
		watch:   resource.Watch,
		example: exampleOf(PreferenceGVK),
	}, &table[preference]{
		read: readPreference,
		onChange: func(key types.NamespacedName, before, after *preference) {
			if before == nil || after == nil || !before.sameIntent(after) {
				s.enqueue(key)
			}
		},
		onSynced: s.enqueueAll,
	})
}

// version is what of a host object's metadata tells that it says something else.
type version struct {
	uid        types.UID
	generation int64
}

// watchVersions watches objects of the host by their metadata alone. onChange is
// told of those that come, go or say something else.
func (s *Scheduler) watchVersions(ctx context.Context, r typeconfig.Resource, onChange func(types.NamespacedName), onSynced func()) *watching[version] {
	resource := s.hostMeta.Resource(r.GVR).Namespace(s.opts.TargetNamespace)
	return startWatch(ctx, s.log, "host: "+r.GVR.Resource, lister{
		list:    func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return resource.List(ctx, o) },
		watch:   resource.Watch,
		example: &metav1.PartialObjectMetadata{},
	}, &table[version]{
		read: func(obj any) (*version, error) {
			object, ok := obj.(*metav1.PartialObjectMetadata)
			if !ok {
				return nil, fmt.Errorf("watched object is a %T", obj)
			}
			return &version{object.UID, object.Generation}, nil
		},
		onChange: func(key types.NamespacedName, before, after *version) {
			if before == nil || after == nil || *before != *after {
				onChange(key)
			}
		},
		onSynced: onSynced,
	})
}

// workload is what matters of a Deployment or ReplicaSet in a member.
type workload struct {
	replicas, ready int64
	// selector selects its pods.
	selector string
}

func readWorkload(obj any) (*workload, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("watched object is a %T", obj)
	}
	w := &workload{}
	replicas, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "replicas")
	w.replicas, _ = number(replicas)
	ready, _, _ := unstructured.NestedFieldNoCopy(u.Object, "status", "readyReplicas")
	w.ready, _ = number(ready)
	raw, _, _ := unstructured.NestedMap(u.Object, "spec", "selector")
	selector := &metav1.LabelSelector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, selector); err != nil {
		return nil, fmt.Errorf("spec.selector: %w", err)
	}
	w.selector = metav1.FormatLabelSelector(selector)
	return w, nil
}

// watchWorkloads watches the managed objects of a type in a member. They are sent
// whole, because replicas are in their status; three fields are kept.
func (s *Scheduler) watchWorkloads(m *member, cluster string, t typeconfig.Type) *watching[workload] {
	resource := m.dynamic.Resource(t.Target.GVR).Namespace(s.opts.TargetNamespace)
	return startWatch(m.ctx, s.log, "member "+cluster+": "+t.Name, lister{
		list:     func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return resource.List(ctx, o) },
		watch:    resource.Watch,
		selector: federate.ManagedLabel + "=" + federate.ManagedLabelValue,
		example:  exampleOf(t.Target.GVK),
	}, &table[workload]{
		read: readWorkload,
		onChange: func(key types.NamespacedName, before, after *workload) {
			if before == nil || after == nil || *before != *after {
				s.enqueueSoon(key, t.Name)
			}
		},
		onSynced: func() { s.enqueueType(t.Name) },
	})
}

func exampleOf(gvk schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	return u
}
