package propagation

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
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
	// serves asks for what not every member serves.
	serves fleet.Discovery
}

// newMemberClient returns a client on a member's connection. timeout bounds
// every request but watches.
func newMemberClient(cl cluster.Cluster, timeout time.Duration) (*memberClient, error) {
	config := rest.CopyConfig(cl.GetConfig())
	config.WarningHandler = rest.NoWarnings{} // a warning repeated for each object helps nobody
	pace := member.NewPace(config.QPS, config.Burst)
	if pace != nil {
		config.RateLimiter = pace
	}
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
		applier: member.New(meta, dyn, disco.RESTClient(), timeout, pace), metadata: meta, dynamic: dyn,
		serves: fleet.Discovery{Paths: disco.RESTClient(), Timeout: timeout},
	}, nil
}

// managed is what is watched of a type in the member; of a namespaced type only what
// is in namespace, if one is given. Metadata alone, unless whole objects are asked for.
// Where the member does not serve the type's version, it is another one.
//
// It selects what bears KubeFed's label whatever its value: "false" means that
// the owner of the member keeps us out, and that must be known before writing.
func (c *memberClient) managed(t typeconfig.Type, whole bool, namespace string) fleet.Source {
	served := c.applier.Served()
	inVersion := func() fleet.Source {
		r := served.In(t.Target)
		if whole {
			return fleet.Objects(c.dynamic, r, namespace)
		}
		return fleet.Metadata(c.metadata, r, namespace)
	}
	source := inVersion()
	if whole {
		source.Example = &unstructured.Unstructured{} // of any version
	}
	source.Selector = federate.ManagedLabel
	source.List = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return requested(ctx, c, t.Target, func() (runtime.Object, error) { return inVersion().List(ctx, options) })
	}
	source.Watch = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		served.Revisit(ctx, t.Target) // a watch ends when what the member serves changes
		return requested(ctx, c, t.Target, func() (watch.Interface, error) { return inVersion().Watch(ctx, options) })
	}
	source.WhyNotFound = c.whyNotFound(t.Target)
	return source
}

// whyNotFound explains that a resource was not found in the member.
func (c *memberClient) whyNotFound(r typeconfig.Resource) func(context.Context, error) fleet.Absence {
	return func(ctx context.Context, notFound error) fleet.Absence {
		if !member.Astray(notFound) {
			return fleet.Absence{Why: notFound}
		}
		found := c.applier.Served().Look(ctx, r)
		if found.Why == nil || found.Version != "" {
			return fleet.Absence{Why: notFound} // it is served by now
		}
		return fleet.Absence{Why: found.Why, Unserved: true, Undefined: found.Undefined}
	}
}

// requested makes a request for a resource, and again if it turns out that the member
// serves another version of it.
func requested[T any](ctx context.Context, c *memberClient, r typeconfig.Resource, request func() (T, error)) (T, error) {
	served := c.applier.Served()
	before := served.In(r)
	answer, err := request()
	if err == nil || !member.Astray(err) {
		return answer, err
	}
	if found := served.Look(ctx, r); found.Version == "" || found.Version == before.GVR.Version {
		return answer, err
	}
	return request()
}
