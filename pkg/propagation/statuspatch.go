package propagation

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/fedctl/fedctl/pkg/federate"
)

// previousStatus is the status that the new one is compared with: the host's.
// Where the host's CRD does not know all of our fields, it drops them; what we
// wrote then, if it is known, stands for what it shows.
func previousStatus(fed *federated, written *federate.Status) federate.Status {
	if written != nil && shows(fed.Status, *written) {
		return *written
	}
	return fed.Status
}

// shows says whether a status in the host is one that we wrote, or what CRDs that
// know less keep of it: ours from before there was what it lacks, and KubeFed's.
func shows(status, written federate.Status) bool {
	if sameStatus(written, status) || sameStatus(kubeFedPart(written), status) {
		return true
	}
	for _, drop := range []func(*federate.ClusterStatus){
		func(c *federate.ClusterStatus) { c.Autoscaling = federate.Autoscaling{} },
		func(c *federate.ClusterStatus) { c.Health = nil },
		func(c *federate.ClusterStatus) { c.AlsoWrittenBy = "" },
	} {
		if written = without(written, drop); sameStatus(written, status) {
			return true
		}
	}
	written.Rollup = nil
	return sameStatus(written, status)
}

// without is a status as it was before there was a field of its clusters.
func without(s federate.Status, drop func(*federate.ClusterStatus)) federate.Status {
	s.Clusters = slices.Clone(s.Clusters)
	for i := range s.Clusters {
		drop(&s.Clusters[i])
	}
	return s
}

// kubeFedPart is what KubeFed's own CRDs keep of a status.
func kubeFedPart(s federate.Status) federate.Status {
	part := federate.Status{ObservedGeneration: s.ObservedGeneration}
	for _, c := range s.Conditions {
		c.Message = ""
		part.Conditions = append(part.Conditions, c)
	}
	for _, c := range s.Clusters {
		c.Message, c.Version, c.AlsoWrittenBy, c.Health, c.Autoscaling = "", "", "", nil, federate.Autoscaling{}
		part.Clusters = append(part.Clusters, c)
	}
	return part
}

// sameStatus compares what the two would say on the wire.
func sameStatus(a, b federate.Status) bool {
	x, errX := json.Marshal(a.ToUnstructured())
	y, errY := json.Marshal(b.ToUnstructured())
	return errX == nil && errY == nil && string(x) == string(y)
}

// statusPatch is the merge patch that makes a status of another one. A merge patch
// keeps what it does not mention.
func statusPatch(from, to federate.Status) map[string]any {
	patch := to.ToUnstructured()
	for _, field := range []string{"conditions", "clusters", "summary"} {
		if _, ok := patch[field]; !ok {
			patch[field] = nil
		}
	}
	switch {
	case len(from.Rollup) == 0:
	case len(to.Rollup) == 0:
		patch["rollup"] = nil
	default:
		rollup := maps.Clone(to.Rollup)
		for field := range from.Rollup {
			if _, ok := rollup[field]; !ok {
				rollup[field] = nil
			}
		}
		patch["rollup"] = rollup
	}
	return patch
}
