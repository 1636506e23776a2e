package propagation

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

// leftovers are the objects that were in a member when it joined, bear our label, and no
// placement selects there. The federated objects' status tells of each; this adds them up
// for the KubeFedCluster and the metrics.
type leftovers struct {
	mu sync.Mutex
	// until is when the time of each is over, by cluster; zero for never.
	until map[string]map[leftover]time.Time
}

type leftover struct {
	typeName, kind string
	target         types.NamespacedName
}

func newLeftovers() *leftovers { return &leftovers{until: map[string]map[leftover]time.Time{}} }

// note takes in where a federated object is kept that nobody has selected.
func (o *leftovers) note(t *runningType, key types.NamespacedName, found []ledger.Found) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.until) == 0 && len(found) == 0 {
		return
	}
	of := leftover{typeName: t.Name, kind: t.Target.GVK.Kind, target: t.TargetKey(key)}
	for cluster, objects := range o.until {
		delete(objects, of)
		if len(objects) == 0 {
			delete(o.until, cluster)
		}
	}
	for _, f := range found {
		if o.until[f.Cluster] == nil {
			o.until[f.Cluster] = map[leftover]time.Time{}
		}
		o.until[f.Cluster][of] = f.Until
	}
}

// forget drops what is known of a type.
func (o *leftovers) forget(typeName string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for cluster, objects := range o.until {
		for of := range objects {
			if of.typeName == typeName {
				delete(objects, of)
			}
		}
		if len(objects) == 0 {
			delete(o.until, cluster)
		}
	}
}

// in adds up what is kept in a cluster.
func (o *leftovers) in(cluster string) membership.Leftovers {
	o.mu.Lock()
	defer o.mu.Unlock()
	sum := membership.Leftovers{Count: len(o.until[cluster])}
	for of, until := range o.until[cluster] {
		if sum.Until.IsZero() || until.Before(sum.Until) {
			sum.Until = until
		}
		name := of.target.Name
		if of.target.Namespace != "" {
			name = of.target.Namespace + "/" + name
		}
		sum.Examples = append(sum.Examples, fmt.Sprintf("%s %s", of.kind, name))
		slices.Sort(sum.Examples) // of a few
		sum.Examples = sum.Examples[:min(len(sum.Examples), membership.MostExamples)]
	}
	return sum
}

// counts are the numbers of objects by cluster.
func (o *leftovers) counts() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	counts := make(map[string]int, len(o.until))
	for cluster, objects := range o.until {
		counts[cluster] = len(objects)
	}
	return counts
}
