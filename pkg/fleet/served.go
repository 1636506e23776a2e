package fleet

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// WhereServed tells that objects may not be read from that there are none: who may not read
// what is not served hears the former. paths is a client of the server's paths, of which
// discovery is asked for the version.
func WhereServed(list func(context.Context, metav1.ListOptions) (runtime.Object, error), paths rest.Interface, version schema.GroupVersion) func(context.Context, metav1.ListOptions) (runtime.Object, error) {
	return func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		listed, err := list(ctx, options)
		if apierrors.IsForbidden(err) {
			if unserved := paths.Get().AbsPath("/apis", version.Group, version.Version).Do(ctx).Error(); apierrors.IsNotFound(unserved) {
				return nil, unserved
			}
		}
		return listed, err
	}
}
