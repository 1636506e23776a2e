package fleet

import (
	"maps"
	"sync"

	"github.com/fedctl/fedctl/pkg/membership"
)

// Changes knows what its owner has last been told of each cluster, and so what of
// the next news matters. The zero value has been told nothing.
type Changes struct {
	mu   sync.Mutex
	told map[string]membership.Info
}

// Change is what has become of a cluster since its owner was last told.
type Change struct {
	// Matters says that placement, or what may be done in the cluster, may differ
	// now: it has come, gone, been relabelled, or become ready or unready. A new
	// message alone does not matter.
	Matters bool
	// Recovered says that the cluster is ready again after an outage.
	Recovered bool
	// RightsRenewed says that joining has changed what may be done there.
	RightsRenewed bool
}

// Of returns what has become of a cluster that the inventory has told of.
func (c *Changes) Of(inventory Inventory, name string) Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Asked under the lock: of two calls at once, the later one is left with the later answer.
	info, joined := inventory.Info(name)
	before, known := c.told[name]
	switch {
	case !joined:
		delete(c.told, name)
	case c.told == nil:
		c.told = map[string]membership.Info{name: info}
	default:
		c.told[name] = info
	}
	return Change{
		Matters:   joined != known || !samePlacement(before, info),
		Recovered: joined && info.Ready && before.Probed && !before.Ready,

		RightsRenewed: joined && known && before.RightsRenewed != info.RightsRenewed,
	}
}

// samePlacement says whether a and b are the same to placement and to those who
// carry it out.
func samePlacement(a, b membership.Info) bool {
	return a.UID == b.UID && a.Prune.Equal(b.Prune) && a.NamespaceRights == b.NamespaceRights && a.Ready == b.Ready && a.Probed == b.Probed && a.Host == b.Host && maps.Equal(a.Labels, b.Labels)
}
