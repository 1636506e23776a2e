package fleetapi

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// mostAtOnce is how many members, or reviews of access, are asked at a time for one request.
const mostAtOnce = 32

// choose returns the clusters that are asked for and that the host lets the user read, in
// the order of their names. The others are missing.
func (e *everywhere) choose(ctx context.Context) ([]string, error) {
	asked := e.Clusters
	if asked == nil {
		joined := &fedcorev1beta1.KubeFedClusterList{}
		err := e.members.clusters.List(ctx, joined, client.InNamespace(e.members.namespace), client.MatchingLabelsSelector{Selector: e.Selector})
		if err != nil {
			return nil, apierrors.NewInternalError(fmt.Errorf("listing KubeFedClusters: %w", err))
		}
		for i := range joined.Items {
			asked = append(asked, joined.Items[i].Name)
		}
		if len(asked) == 0 {
			return nil, apierrors.NewNotFound(clustersResource, fmt.Sprintf("%s=%s", union.ClusterSelectorParameter, e.Selector))
		}
		slices.Sort(asked)
	}
	allowed := make([]bool, len(asked))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(mostAtOnce)
	for i, name := range asked {
		group.Go(func() (err error) {
			allowed[i], err = e.mayRead(groupCtx, name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var clusters []string
	for i, name := range asked {
		if allowed[i] {
			clusters = append(clusters, name)
		} else {
			e.absent.note(union.Missing{Cluster: name, Reason: union.Forbidden})
		}
	}
	if len(clusters) == 0 {
		return nil, apierrors.NewForbidden(clustersResource, fleetv1alpha1.AllClusters, fmt.Errorf("%q may not get clusters/proxy of any of the %d clusters asked for", e.user.GetName(), len(asked)))
	}
	return clusters, e.incomplete()
}

// mayRead asks the host about one cluster, as it is asked where the user goes there alone.
func (e *everywhere) mayRead(ctx context.Context, cluster string) (bool, error) {
	decision, _, err := e.authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: e.user, Verb: "get", Name: cluster, ResourceRequest: true, Path: fleetv1alpha1.ProxyPath(cluster) + e.path,
		APIGroup: fleetv1alpha1.GroupVersion.Group, APIVersion: fleetv1alpha1.GroupVersion.Version,
		Resource: fleetv1alpha1.ClustersResource, Subresource: fleetv1alpha1.ProxySubresource,
	})
	if decision == authorizer.DecisionAllow {
		return true, nil
	}
	if err != nil {
		return false, apierrors.NewInternalError(fmt.Errorf("asking the host's API server whether %q may read cluster %s: %w", e.user.GetName(), cluster, err))
	}
	return false, nil
}
