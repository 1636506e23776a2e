package capacity

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/fleet"
)

// discovery asks a member what it serves.
type discovery struct {
	paths   rest.Interface
	timeout time.Duration
}

// whyNotFound tells a resource that a member does not serve from one that was not found for
// another reason: a load balancer without an API server behind it says 404 as well, and what
// was known of the member would go by that. What nobody can say now is as it was said last.
func (d discovery) whyNotFound(resource schema.GroupVersionResource) func(context.Context, error) fleet.Absence {
	var none bool // asked by one watch, and not at the same time
	return func(ctx context.Context, notFound error) fleet.Absence {
		if lacks, said := d.lacks(ctx, resource); said {
			none = lacks
		}
		return fleet.Absence{Why: notFound, Unserved: none, Undefined: none}
	}
}

// lacks says whether a member does not serve a resource, if an API server says that or the
// contrary.
func (d discovery) lacks(ctx context.Context, resource schema.GroupVersionResource) (lacks, said bool) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	groups := &metav1.APIGroupList{}
	// Every API server has groups: what names none is none.
	if err := d.paths.Get().AbsPath("/apis").Do(ctx).Into(groups); err != nil || len(groups.Groups) == 0 {
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
	if err := d.paths.Get().AbsPath("/apis", resource.Group, resource.Version).Do(ctx).Into(resources); err != nil || len(resources.APIResources) == 0 {
		return false, false
	}
	return !slices.ContainsFunc(resources.APIResources, func(r metav1.APIResource) bool { return r.Name == resource.Resource }), true
}
