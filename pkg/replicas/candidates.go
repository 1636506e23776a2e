package replicas

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// candidates are the clusters that may get replicas, and those that would if they
// were ready.
type candidates struct{ ready, unready []string }

// candidates returns the clusters that may get the replicas of a federated object,
// sorted: with intersectWithClusterSelector those that its selector selects,
// otherwise all; of them those that the namespace is in, because replicas could
// not run elsewhere, and that are ready. A namespace that is not federated bounds
// nothing here: propagation reports it.
//
// Without candidates the outcome says why, and the federated object is to be left
// as it is: a label that was lost must not delete anything everywhere.
func (c *Controller) candidates(ctx context.Context, t typeconfig.Type, fed *federate.Object, intersect bool) (candidates, outcome, error) {
	in := fleet.PlacementInput(c.inventory, placement.Spec{ClusterSelector: &metav1.LabelSelector{}})
	if intersect {
		in.Placement.ClusterSelector = fed.Placement.ClusterSelector
	}
	namespace, err := c.federatedNamespace(ctx, t, fed.Namespace)
	if err != nil {
		var invalid *federate.ParseError
		if errors.As(err, &invalid) {
			return candidates{}, failed(ReasonInvalidFederatedObject, "FederatedNamespace %s/%s: %v", fed.Namespace, fed.Namespace, err), nil
		}
		return candidates{}, outcome{}, err
	}
	in.Namespaced, in.Namespace = namespace != nil, namespace
	unready := map[string]bool{}
	for i := range in.Clusters {
		unready[in.Clusters[i].Name] = !in.Clusters[i].Ready
	}
	decision, err := placement.Decide(in)
	if err != nil {
		return candidates{}, failed(ReasonInvalidFederatedObject, "%v", err), nil
	}
	var found candidates
	for _, name := range decision.Clusters {
		if unready[name] {
			found.unready = append(found.unready, name)
		} else {
			found.ready = append(found.ready, name)
		}
	}
	if len(found.ready) > 0 {
		return found, outcome{}, nil
	}
	why := "no cluster is joined: fedctl join"
	switch selects := slices.ContainsFunc(decision.Verdicts, func(v placement.Verdict) bool {
		return v.Selected || v.Reason == placement.ReasonNamespaceNotPlaced
	}); {
	case len(found.unready) > 0:
		why = "no cluster is ready, see: fedctl get clusters"
	case intersect && !selects:
		why = "spec.placement.clusterSelector of the federated object, which intersectWithClusterSelector refers to, selects no cluster"
	case len(in.Clusters) > 0:
		why = "the FederatedNamespace " + fed.Namespace + "/" + fed.Namespace + " is not placed in any of the clusters"
	}
	return found, failed(ReasonNoClusters, "%s; the federated object is left as it is", why), nil
}

// federatedNamespace returns the placement of a namespace; nil if there is none.
func (c *Controller) federatedNamespace(ctx context.Context, t typeconfig.Type, namespace string) (*placement.Spec, error) {
	if t.FederatedNamespace == (typeconfig.Resource{}) {
		return nil, nil //nolint:nilnil // documented
	}
	u, err := c.get(ctx, t.FederatedNamespace, namespace, namespace)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, err
	}
	fed, err := federate.Parse(u)
	var invalid *federate.ParseError
	if errors.As(err, &invalid) && invalid.PlacementUnknown() { // the placement is what cannot be read
		return nil, err
	}
	return &fed.Placement, nil
}

// get reads an object from the host's API server.
func (c *Controller) get(ctx context.Context, r typeconfig.Resource, namespace, name string) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.RequestTimeout)
	defer cancel()
	return c.host.Resource(r.GVR).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
}
