package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Source is what a watch lists and follows.
type Source struct {
	// List and Watch are requests to an API server.
	List  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	Watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
	// Example is an object of the kind that is watched, and Type what it is called.
	Example runtime.Object
	Type    string
	// Selector is a label selector, Fields one of fields; empty for all objects.
	Selector, Fields string
	// Name is the watch's own, for those who read goroutines and metrics.
	Name string
	// Log is told when the watch begins to fail, or does for another reason, and when
	// it works again.
	Log logr.Logger
	// Retry is the first time between two tries, and RetryMax the longest; 0 for half
	// a second and ten.
	Retry, RetryMax time.Duration
	// WhyNotFound explains that the resource was not found, and may ask the server for that.
	WhyNotFound func(ctx context.Context, notFound error) Absence
	// OnListFailed is told of every list that fails.
	OnListFailed func(error)
	// OnTrouble is told when Watch.Problem begins, changes and ends.
	OnTrouble func()
	// Streams is how many bytes a watch may tell of the objects that were there before, where
	// that is more than anybody would hold: a Table keeps little of each. 0 for answers.Most.
	Streams int64
	// Patience is how long a watch may fail before that is a Problem; 0 for five seconds.
	Patience time.Duration
}

// Absence is why a resource was not found.
type Absence struct {
	Why error
	// Unserved says that the server serves it in no version: nobody can say what objects
	// of it there are.
	Unserved bool
	// Undefined says that there can be none.
	Undefined bool
}

// Objects is a source of whole objects; of a namespaced resource only of those in
// namespace, if one is given.
func Objects(client dynamic.Interface, r typeconfig.Resource, namespace string) Source {
	if !r.Namespaced {
		namespace = ""
	}
	resource := client.Resource(r.GVR).Namespace(namespace)
	example := &unstructured.Unstructured{}
	example.SetGroupVersionKind(r.GVK)
	return Source{
		List: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return resource.List(ctx, options)
		},
		Watch: resource.Watch, Example: example, Type: r.GVR.String(), Log: logr.Discard(),
	}
}

// Metadata is a source of the metadata of objects alone, which is sent in protobuf.
func Metadata(client metadata.Interface, r typeconfig.Resource, namespace string) Source {
	if !r.Namespaced {
		namespace = ""
	}
	resource := client.Resource(r.GVR).Namespace(namespace)
	return Source{
		List: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return resource.List(ctx, options)
		},
		Watch: resource.Watch, Example: &metav1.PartialObjectMetadata{}, Type: r.GVR.String(), Log: logr.Discard(),
	}
}

// listWatch returns what a reflector lists and watches. failed is told why a list or
// watch has failed, accepted that a watch has begun: resumed, if it goes on from a list.
func (s Source) listWatch(failed func(context.Context, error), accepted func(resumed bool)) cache.ListerWatcher {
	pages := &pages{}
	// A reflector begins a watch anew as soon as it has ended, however soon that is, if
	// only it told of something.
	pace := flowcontrol.NewTokenBucketRateLimiter(watchesPerSecond, watchesAtOnce)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector, options.FieldSelector = s.Selector, s.Fields
			list, err := s.List(pages.begin(ctx, options), options)
			if err == nil {
				err = pages.add(list)
			}
			if err != nil {
				failed(ctx, err)
				if s.OnListFailed != nil && ctx.Err() == nil {
					s.OnListFailed(err)
				}
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector, options.FieldSelector = s.Selector, s.Fields
			if err := pace.Wait(ctx); err != nil {
				return nil, err
			}
			ctx, initial := answers.WithInitial(ctx, s.Streams)
			result, err := s.Watch(ctx, options)
			resumed := !ptr.Deref(options.SendInitialEvents, false)
			if err != nil {
				if resumed || triedAgain(err) { // otherwise a list follows, and what becomes of it is told
					failed(ctx, err)
				}
				return nil, err
			}
			if accepted(resumed); resumed {
				initial.Over()
				return result, nil
			}
			return newInitialWatch(result, initial), nil
		},
	}
}

// How often a watch may be begun: an API server ends it after some minutes.
const (
	watchesPerSecond = 0.5
	watchesAtOnce    = 5
)

// triedAgain says whether a reflector repeats a watch that was to list the objects as
// well, instead of listing them.
func triedAgain(err error) bool {
	return utilnet.IsConnectionRefused(err) || apierrors.IsTooManyRequests(err)
}

// pages counts the objects and the bytes of one list, which has as many pages as the
// server says. It is used by one reflector, and not at the same time.
type pages struct {
	objects int
	bytes   answers.Pages
}

const (
	// mostObjects is more than a cluster holds of one resource.
	mostObjects = 250_000
	// leastOfPage is what a page counts, also an empty one: there may be no end of them.
	leastOfPage = 25
)

// begin returns the context for the request of a page.
func (p *pages) begin(ctx context.Context, options metav1.ListOptions) context.Context {
	if options.Continue == "" {
		p.objects = 0
		p.bytes.Reset()
	}
	return answers.WithPages(ctx, &p.bytes)
}

func (p *pages) add(list runtime.Object) error {
	p.objects += max(leastOfPage, meta.LenList(list))
	if p.objects > mostObjects {
		return fmt.Errorf("the list has more than %d objects, or pages for as many, and goes on", mostObjects)
	}
	return nil
}

func (s Source) backoff() *wait.Backoff {
	backoff := &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 7, Cap: 10 * time.Second}
	if s.Retry > 0 {
		backoff.Duration = s.Retry
	}
	if s.RetryMax > 0 {
		backoff.Cap = s.RetryMax
	}
	return backoff
}
