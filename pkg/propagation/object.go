package propagation

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// want is what is to become of an object in one member cluster.
type want int

const (
	wantNothing want = iota // leave whatever is there alone
	wantApplied             // it is there as rendered
	wantAbsent              // it is not there
)

// object is the engine's knowledge of one federated object: what is wanted in
// each cluster and how far that is. Its fields belong to whoever holds mu; no
// request is made meanwhile.
type object struct {
	mu         sync.Mutex
	uid        types.UID
	generation int64 // that places' hashes were rendered from
	renderer   *federate.Renderer
	places     map[string]*place
	// pendingSince is when the first of the places that are pending became so.
	pendingSince time.Time
	// written is the status this process wrote last, to know its echo from the watch.
	written *federate.Status
	// problems were reported by an event already.
	problems string
}

// place is one object in one member cluster.
type place struct {
	want want
	hash string // of the rendered object, for wantApplied
	// applied and owned say what is known to be there: the hash of what was
	// applied and, then, the hash of the fields the cluster says are ours. They
	// survive a restart in the status (ClusterStatus.Version).
	applied string
	owned   uint64
	// attempted says that this process has sent a write that may have arrived.
	attempted bool
	// retained says that we are known not to own spec.replicas.
	retained bool
	// irreplaceable is the hash of what the cluster refuses as an update as well.
	irreplaceable string
	// refusal says why the object was written, but not applied.
	refusal  string
	status   federate.PropagationStatus
	message  string
	pending  bool // an item for it is queued or waits for something
	retrying bool // the last try failed; the next one is scheduled
	updated  bool // written since the status was folded last
	// removed is the UID of the object that was deleted at removedAt.
	removed   types.UID
	removedAt time.Time
	// repairedAt and repairDelay slow down the repair of what drifts again and again.
	repairedAt  time.Time
	repairDelay time.Duration
}

// mayBeThere says whether the cluster may hold the object although its watch shows none.
func (p *place) mayBeThere() bool { return p.applied != "" || p.attempted }

// version is the record that goes into the status.
func (p *place) version() string {
	if p.applied == "" {
		return ""
	}
	return fmt.Sprintf("%s.%016x", p.applied, p.owned)
}

// parseRecord reads what version wrote; empty if it is not one of ours.
func parseRecord(version string) (applied string, owned uint64) {
	applied, ownedHex, ok := strings.Cut(version, ".")
	if !ok {
		return "", 0
	}
	owned, err := strconv.ParseUint(ownedHex, 16, 64)
	if err != nil {
		return "", 0
	}
	return applied, owned
}

// upToDate says whether the cluster holds what is wanted there.
func (p *place) upToDate(l *live) bool {
	return p.want == wantApplied && l != nil && l.Managed && !l.Deleting &&
		p.applied == p.hash && l.Owned != 0 && l.Owned == p.owned
}

// settle records the outcome of a try.
func (p *place) settle(status federate.PropagationStatus, message string) {
	p.pending = false
	p.status, p.message = status, message
}

// newObject starts from what the status says was applied before.
func newObject(host *hostObject) *object {
	o := &object{uid: host.fed.UID, places: map[string]*place{}}
	refusal := ""
	if accepted := host.fed.Status.Condition(federate.ConditionAccepted); accepted != nil && accepted.Reason == applyRefused {
		refusal = accepted.Message
	}
	for _, c := range host.fed.Status.Clusters {
		applied, owned := parseRecord(c.Version)
		// What a status lists may be there, also without a record: KubeFed keeps none.
		o.places[c.Name] = &place{applied: applied, owned: owned, attempted: true, refusal: refusal, status: c.Status, message: c.Message}
	}
	return o
}

func (o *object) place(cluster string) *place {
	p, ok := o.places[cluster]
	if !ok {
		p = &place{}
		o.places[cluster] = p
	}
	return p
}

// pending returns the clusters whose outcome is still open.
func (o *object) pendingClusters() int {
	n := 0
	for _, p := range o.places {
		if p.pending {
			n++
		}
	}
	return n
}

// outcomes lists what the status will say of each cluster.
func (o *object) outcomes(remote func(cluster string) any) []federate.Outcome {
	outcomes := make([]federate.Outcome, 0, len(o.places))
	for name, p := range o.places {
		if p.want == wantNothing && p.status == "" {
			continue
		}
		outcomes = append(outcomes, federate.Outcome{
			Cluster:      name,
			Status:       p.status,
			Message:      p.message,
			Version:      p.version(),
			RemoteStatus: remote(name),
			Updated:      p.updated,
		})
	}
	return outcomes
}
