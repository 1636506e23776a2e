package fleet

import (
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/placement"
)

// Inventory is what controllers ask of the member clusters; pkg/membership's
// Provider implements it.
type Inventory interface {
	// Clusters returns all joined clusters, the unready included, sorted by name,
	// without I/O. The slice is shared and must not be modified.
	Clusters() []membership.Info
	// Info returns one joined cluster, without a look at all of them.
	Info(name string) (membership.Info, bool)
	// Synced says whether the joined clusters are known at all.
	Synced() bool
	// Subscribe registers a function that is called when a cluster changes, and
	// with an empty name when Synced becomes true.
	Subscribe(func(name string))
	// Facts are what is known of a cluster beside its Info.
	Facts(name string) (membership.Facts, bool)
	// SubscribeFacts registers a function that is called when a cluster's Facts change.
	SubscribeFacts(func(name string))
}

// PlacementInput returns what placement.Decide is given for spec: the joined
// clusters, with all that a placement may depend on. What bounds the placement is
// the caller's to add.
func PlacementInput(inventory Inventory, spec placement.Spec) placement.Input {
	infos := inventory.Clusters()
	in := placement.Input{Placement: spec, Clusters: make([]placement.Cluster, 0, len(infos))}
	for i := range infos {
		in.Clusters = append(in.Clusters, placement.Cluster{Name: infos[i].Name, Labels: infos[i].Labels, Ready: infos[i].Ready})
	}
	return in
}
