package propagation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/propagation/member"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// memberClient is the engine's connection to one member cluster. What it needs of
// the objects is asked for as metadata alone, in protobuf: the rest would be thrown away.
type memberClient struct {
	// applier writes to the cluster.
	applier  *member.Applier
	metadata metadata.Interface
	dynamic  dynamic.Interface
	// discovery asks what the cluster serves.
	discovery rest.Interface
	timeout   time.Duration // of one request that is not a watch
}

// newMemberClient returns a client on a member's connection. timeout bounds
// every request but watches.
func newMemberClient(cl cluster.Cluster, timeout time.Duration) (*memberClient, error) {
	config := rest.CopyConfig(cl.GetConfig())
	config.WarningHandler = rest.NoWarnings{} // a warning repeated for each object helps nobody
	meta, err := metadata.NewForConfigAndClient(config, cl.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("metadata client: %w", err)
	}
	dyn, err := dynamic.NewForConfigAndClient(config, cl.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("dynamic client: %w", err)
	}
	disco, err := discovery.NewDiscoveryClientForConfigAndClient(config, cl.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("discovery client: %w", err)
	}
	return &memberClient{
		applier: member.New(meta, dyn, disco.RESTClient(), timeout), metadata: meta, dynamic: dyn, discovery: disco.RESTClient(), timeout: timeout,
	}, nil
}

// managed is what is watched of a type in the member; of a namespaced type only what
// is in namespace, if one is given. Metadata alone, unless the status is collected.
//
// It selects what bears KubeFed's label whatever its value: "false" means that
// the owner of the member keeps us out, and that must be known before writing.
func (c *memberClient) managed(t typeconfig.Type, namespace string) fleet.Source {
	source := fleet.Metadata(c.metadata, t.Target, namespace)
	if t.CollectsStatus() {
		source = fleet.Objects(c.dynamic, t.Target, namespace)
	}
	source.Selector = federate.ManagedLabel
	source.WhyNotFound = func(ctx context.Context, notFound error) (error, bool) { return c.whyNotFound(ctx, t.Target, notFound) }
	return source
}

// whyNotFound explains a list of a resource that was not found. missing: the
// cluster serves the resource in no version, so there are no objects of it.
func (c *memberClient) whyNotFound(ctx context.Context, r typeconfig.Resource, notFound error) (err error, missing bool) {
	name := r.GVR.GroupResource().String() + "/" + r.GVR.Version
	versions, err := c.servedVersions(ctx, r)
	switch {
	case err != nil:
		return fmt.Errorf("%w; what else the cluster serves could not be read: %w", notFound, err), false
	case slices.Contains(versions, r.GVR.Version):
		return notFound, false
	case len(versions) > 0:
		return fmt.Errorf("the cluster does not serve %s, which spec.targetType.version of the FederatedTypeConfig names, but only %s", name, strings.Join(versions, ", ")), false
	}
	return fmt.Errorf("the cluster does not serve %s; install its CustomResourceDefinition there", name), true
}

// servedVersions returns the versions that the cluster serves a resource in.
func (c *memberClient) servedVersions(ctx context.Context, r typeconfig.Resource) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if r.GVR.Group == "" {
		return []string{r.GVR.Version}, nil // the core group has only one, which is always there
	}
	group := &metav1.APIGroup{}
	if err := c.discovery.Get().AbsPath("/apis", r.GVR.Group).Do(ctx).Into(group); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var versions []string
	for _, version := range group.Versions {
		resources := &metav1.APIResourceList{}
		if err := c.discovery.Get().AbsPath("/apis", r.GVR.Group, version.Version).Do(ctx).Into(resources); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(resources.APIResources, func(a metav1.APIResource) bool { return a.Name == r.GVR.Resource }) {
			versions = append(versions, version.Version)
		}
	}
	return versions, nil
}
