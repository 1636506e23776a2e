package propagation

import (
	"slices"
	"sync"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// rights tells in which members objects of a type cannot be read for lack of rights: a
// type that was enabled after the member had joined, above all.
type rights struct {
	inventory fleet.Inventory
	members   *memberSet

	mu   sync.Mutex
	tell func(name string)
}

var _ typeconfig.Rights = &rights{}

// Lacking implements typeconfig.Rights. Of a member that is not ready nothing is known.
func (r *rights) Lacking(name string) []string {
	var lacking []string
	for _, info := range r.inventory.Clusters() {
		if _, watch := r.members.Get(info.Name, name); info.Ready && errtext.LacksRight(watch.Problem()) {
			lacking = append(lacking, info.Name)
		}
	}
	slices.Sort(lacking)
	return lacking
}

// OnChange implements typeconfig.Rights.
func (r *rights) OnChange(tell func(name string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell = tell
}

func (r *rights) changed(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tell != nil {
		r.tell(name)
	}
}

// Rights tells in which members rights are missing.
func (e *Engine) Rights() typeconfig.Rights { return e.rights }
