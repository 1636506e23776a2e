package fleet

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// Discovery asks a cluster whether it serves a resource that not every cluster has. Only what
// an API server says itself counts: a load balancer without one behind it says 404 to anything,
// and a proxy 403, and what was known of the cluster would go by that.
type Discovery struct {
	// Paths is a client of the server's paths.
	Paths rest.Interface
	// Timeout bounds each answer.
	Timeout time.Duration
}

// Explain has a source tell where there are no objects, because the cluster does not serve the
// resource in this version.
func (d Discovery) Explain(source Source, resource schema.GroupVersionResource) Source {
	source.List, source.WhyNotFound = d.List(resource, source.List), d.WhyNotFound(resource)
	return source
}

// List tells that objects may not be read from that there are none: who may not read what is
// not served hears the former.
func (d Discovery) List(resource schema.GroupVersionResource, list func(context.Context, metav1.ListOptions) (runtime.Object, error)) func(context.Context, metav1.ListOptions) (runtime.Object, error) {
	return func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		listed, err := list(ctx, options)
		if apierrors.IsForbidden(err) {
			if lacks, said := d.lacks(ctx, resource); said && lacks {
				return nil, &lackingError{apierrors.NewGenericServerResponse(http.StatusNotFound, "list", resource.GroupResource(), "", "", 0, false)}
			}
		}
		return listed, err
	}
}

// lackingError is what the cluster would have said to who may read, after it has said that it
// has no such resource: nobody has to ask again.
type lackingError struct{ *apierrors.StatusError }

// WhyNotFound tells a resource that is not served from one that was not found for another
// reason. What nobody can say now is as it was said last.
func (d Discovery) WhyNotFound(resource schema.GroupVersionResource) func(context.Context, error) Absence {
	var none bool // asked by one watch, and not at the same time
	return func(ctx context.Context, notFound error) Absence {
		if asked := (*lackingError)(nil); errors.As(notFound, &asked) {
			none = true
		} else if lacks, said := d.lacks(ctx, resource); said {
			none = lacks
		}
		return Absence{Why: notFound, Unserved: none, Undefined: none}
	}
}

// lacks says whether the cluster does not serve a resource, if an API server says that or the
// contrary.
func (d Discovery) lacks(ctx context.Context, resource schema.GroupVersionResource) (lacks, said bool) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	groups := &metav1.APIGroupList{}
	// Every API server has groups: what names none is none.
	if err := d.Paths.Get().AbsPath("/apis").Do(ctx).Into(groups); err != nil || len(groups.Groups) == 0 {
		return false, false
	}
	if !slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool {
		return slices.ContainsFunc(g.Versions, func(v metav1.GroupVersionForDiscovery) bool {
			return v.GroupVersion == resource.GroupVersion().String()
		})
	}) {
		return true, true
	}
	// The group may be served for others of its resources.
	resources := &metav1.APIResourceList{}
	if err := d.Paths.Get().AbsPath("/apis", resource.Group, resource.Version).Do(ctx).Into(resources); err != nil || len(resources.APIResources) == 0 {
		return false, false
	}
	return !slices.ContainsFunc(resources.APIResources, func(r metav1.APIResource) bool { return r.Name == resource.Resource }), true
}

// Lacks says that the cluster has none of the objects, since it does not serve the resource.
// Where they may not be read since, nobody can tell.
func (w *Watch[V]) Lacks() bool { return w.Unserved() && !apierrors.IsForbidden(w.Problem()) }
