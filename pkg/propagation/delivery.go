package propagation

import (
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
)

// delivery is how far the changes of one federated object have come, for the metrics.
// This process knows only of what it has seen itself: what waited when it started counts
// from then.
type delivery struct {
	revision federate.Revision
	// said: the status has been brought up to date since.
	said bool
	// since is when the last change was seen that is not in all clusters; zero if it is.
	since time.Time
	// behind are the clusters that lack something, by name.
	behind map[string]lacking
	// ready is the reason of the Ready condition.
	ready string
}

// lacking is what keeps a cluster from what is wanted, and since when it lacks something.
type lacking struct {
	status federate.PropagationStatus
	since  time.Time
}

// wants notes what the object is to be, and says whether that begins a change. seen: its status
// tells of that already; pending: there is something to do for it. What is wanted otherwise may
// change nothing anywhere, such as a taint of nodes that nothing runs on.
func (d *delivery) wants(revision federate.Revision, seen, pending bool, now time.Time) (begun bool) {
	if d.revision == revision {
		return false
	}
	if !seen || pending && d.revision != "" {
		d.since, begun = now, true
	}
	d.revision, d.said = revision, false
	return begun
}

// told notes what the status says. When all clusters have the last change, it returns how
// long that took, once.
func (d *delivery) told(status *federate.Status, now time.Time) (took time.Duration, delivered bool) {
	before := d.behind
	d.behind, d.ready, d.said = nil, "", true
	for i := range status.Clusters {
		c := &status.Clusters[i]
		if !c.Status.Trouble() {
			continue
		}
		if d.behind == nil {
			d.behind = map[string]lacking{}
		}
		since := now
		if was, ok := before[c.Name]; ok {
			since = was.since
		}
		d.behind[c.Name] = lacking{c.Status, since}
	}
	if ready := status.Condition(federate.ConditionReady); ready != nil {
		d.ready = ready.Reason
	}
	propagation := status.Condition(federate.ConditionPropagation)
	if d.since.IsZero() || len(d.behind) > 0 || propagation == nil || propagation.Status != federate.ConditionTrue {
		return 0, false
	}
	took, d.since = now.Sub(d.since), time.Time{}
	return took, true
}

// tally adds up deliveries.
type tally struct {
	oldest  map[string]time.Time // by cluster
	trouble map[clusterStatus]int
}

type clusterStatus struct {
	cluster string
	status  federate.PropagationStatus
}

// add takes in the deliveries of a type's objects, and returns how many have which reason
// in their Ready condition.
func (s *tally) add(accounts []*account) (readiness map[string]int) {
	readiness = map[string]int{}
	for _, a := range accounts {
		a.mu.Lock()
		d := a.delivery // what it refers to is not changed any more
		a.mu.Unlock()
		if d.ready != "" {
			readiness[d.ready]++
		}
		for cluster, l := range d.behind {
			s.trouble[clusterStatus{cluster, l.status}]++
			if oldest, ok := s.oldest[cluster]; !ok || l.since.Before(oldest) {
				s.oldest[cluster] = l.since
			}
		}
	}
	return readiness
}
