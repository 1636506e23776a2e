package fleet

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
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

	// recent are the groups that were told last, for all who ask at about the same time; nil
	// where each asks for himself.
	recent *recentGroups
}

// NewDiscovery returns a discovery for all who follow what not every cluster serves.
func NewDiscovery(paths rest.Interface, timeout time.Duration) Discovery {
	return Discovery{Paths: paths, Timeout: timeout, recent: &recentGroups{}}
}

// recentGroups are the groups that a cluster has told last.
type recentGroups struct {
	mu     sync.Mutex
	groups []metav1.APIGroup
	told   time.Time
}

// recentFor is how long they count: shorter than the time after which it is asked again. That
// there was no answer counts for failedFor: for those who have waited for it as well.
const (
	recentFor = 15 * time.Second
	failedFor = time.Second
)

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

// Version is the first of those versions in which the cluster serves a resource; empty where it
// serves it in none. said is false where an API server says neither.
func (d Discovery) Version(ctx context.Context, resource schema.GroupResource, versions []string) (version string, said bool) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	groups := d.groups(ctx)
	if groups == nil {
		return "", false
	}
	for _, version := range versions {
		lacks, said := d.lacksIn(ctx, groups, resource.WithVersion(version))
		switch {
		case !said:
			return "", false
		case !lacks:
			return version, true
		}
	}
	return "", true
}

// lacks says whether the cluster does not serve a resource, if an API server says that or the
// contrary.
func (d Discovery) lacks(ctx context.Context, resource schema.GroupVersionResource) (lacks, said bool) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	groups := d.groups(ctx)
	if groups == nil {
		return false, false
	}
	return d.lacksIn(ctx, groups, resource)
}

// groups are those that the cluster serves; nil where nobody can say.
func (d Discovery) groups(ctx context.Context) []metav1.APIGroup {
	if d.recent == nil {
		return d.ask(ctx)
	}
	d.recent.mu.Lock()
	defer d.recent.mu.Unlock()
	lasts := recentFor
	if d.recent.groups == nil {
		lasts = failedFor
	}
	if time.Since(d.recent.told) > lasts {
		d.recent.groups = d.ask(ctx)
		d.recent.told = time.Now()
	}
	return d.recent.groups
}

// ask asks the cluster for its groups.
func (d Discovery) ask(ctx context.Context) []metav1.APIGroup {
	groups := &metav1.APIGroupList{}
	// Every API server has groups: what names none is none.
	if err := d.Paths.Get().AbsPath("/apis").Do(ctx).Into(groups); err != nil || len(groups.Groups) == 0 {
		return nil
	}
	return groups.Groups
}

// lacksIn is lacks of a cluster that serves these groups.
func (d Discovery) lacksIn(ctx context.Context, groups []metav1.APIGroup, resource schema.GroupVersionResource) (lacks, said bool) {
	if !slices.ContainsFunc(groups, func(g metav1.APIGroup) bool {
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
