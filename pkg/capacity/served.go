package capacity

import (
	"context"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/fedctl/fedctl/pkg/fleet"
)

// servedObjects asks a member for objects that few members have, in the version that it serves.
// A member is asked for what it serves first, and not for the objects: who may not read them
// does not hear that there are none.
type servedObjects struct {
	client   dynamic.Interface
	served   fleet.Discovery
	resource schema.GroupResource
	versions []string // the newest first
	// version is the one that was found, and absent says that the member said it has none.
	version atomic.Pointer[string]
	absent  atomic.Bool
}

// source lists and watches them.
func (o *servedObjects) source() fleet.Source {
	return fleet.Source{
		List: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			resource, err := o.find(ctx)
			if err != nil {
				return nil, err
			}
			return resource.List(ctx, options)
		},
		Watch: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			resource, err := o.find(ctx)
			if err != nil {
				return nil, err
			}
			return resource.Watch(ctx, options)
		},
		Example: &unstructured.Unstructured{}, Type: o.resource.String(), RetryMax: unservedRetry,
		WhyNotFound: func(_ context.Context, notFound error) fleet.Absence {
			o.version.Store(nil) // it may be another one by now
			absent := o.absent.Load()
			return fleet.Absence{Why: notFound, Unserved: absent, Undefined: absent}
		},
	}
}

// find is what is listed and watched. It is not found where the member serves none, and what
// nobody can say now is as it was said last.
func (o *servedObjects) find(ctx context.Context) (dynamic.ResourceInterface, error) {
	if version := o.version.Load(); version != nil {
		return o.client.Resource(o.resource.WithVersion(*version)), nil
	}
	version, said := o.served.Version(ctx, o.resource, o.versions)
	if said {
		o.absent.Store(version == "")
	}
	if version == "" {
		return nil, apierrors.NewNotFound(o.resource, "")
	}
	o.version.Store(&version)
	return o.client.Resource(o.resource.WithVersion(version)), nil
}
