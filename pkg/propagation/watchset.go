package propagation

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// watchSet keeps one thin watch for each (member cluster, federated type).
type watchSet = fleet.Members[*memberClient, live]

// newWatchSet returns a set whose watches tell the engine what differs from what was
// known, and when a member's objects of a type have been listed.
func newWatchSet(e *Engine) *watchSet {
	return fleet.NewMembers(func(ctx context.Context, cluster string, client *memberClient, t typeconfig.Type, known *memberStore) *memberWatch {
		if known == nil {
			known = newMemberStore(t.CollectsStatus(),
				func(key types.NamespacedName, before, after *live) {
					e.memberChanged(cluster, t.Name, key, before, after)
				},
				func() { e.memberSynced(cluster, t.Name) })
		}
		source := client.managed(t, e.opts.TargetNamespace)
		source.Name = "member " + cluster + ": " + t.Name
		source.Log = e.log.WithValues("cluster", cluster, "type", t.Name)
		return fleet.Follow(ctx, source, known)
	})
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
