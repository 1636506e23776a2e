package uninstall

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/serverapply"
)

// removeFleetAPI has the host's API server pass nothing on any more to the API server of
// the fleet, if that is this control plane's. It comes before the namespace: that would wait
// for an API that nobody serves.
func (o *Options) removeFleetAPI(ctx context.Context, host client.Client) error {
	objects, err := manifests.FleetAPIRouting(o.factory.KubeFedNamespace)
	if err != nil {
		return fmt.Errorf("building the manifests: %w", err)
	}
	var options []client.DeleteOption
	if o.DryRun {
		options = append(options, client.DryRunAll)
	}
	for _, object := range objects {
		what := serverapply.Describe(object)
		existing := &unstructured.Unstructured{}
		existing.SetGroupVersionKind(object.GroupVersionKind())
		err := host.Get(ctx, client.ObjectKeyFromObject(object), existing)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			continue
		} else if err != nil {
			return fmt.Errorf("reading %s: %w", what, err)
		}
		if of, found, _ := unstructured.NestedString(existing.Object, "spec", "service", "namespace"); found && of != o.factory.KubeFedNamespace {
			continue // another control plane's
		}
		if err := host.Delete(ctx, object, options...); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s: %w", what, err)
		}
		o.deleted(what)
	}
	return nil
}
