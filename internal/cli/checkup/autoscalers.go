package checkup

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// autoscalers says why the control plane cannot read what decides on replicas in a member; empty
// if it can, or there is nothing of the kind.
func (g *gatherer) autoscalers(ctx context.Context, config *rest.Config, paths rest.Interface, cluster string) string {
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return errtext.InMember(err, cluster)
	}
	namespace := ""
	if g.scope == manifests.ScopeNamespaced {
		namespace = g.namespace
	}
	served := fleet.Discovery{Paths: paths, Timeout: patience}
	kinds := autoscaler.Kinds()
	for i := range kinds {
		kind := &kinds[i]
		if kind.Owns != autoscaler.Replicas {
			continue
		}
		resource := kind.GroupVersionResource
		list := served.List(resource, func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return client.Resource(resource).Namespace(namespace).List(ctx, options)
		})
		_, err := list(ctx, metav1.ListOptions{Limit: 1})
		if apierrors.IsNotFound(err) && served.WhyNotFound(resource)(ctx, err).Undefined {
			continue
		}
		if err != nil {
			return kind.Name() + " cannot be read: " + errtext.InMember(err, cluster)
		}
	}
	return ""
}
