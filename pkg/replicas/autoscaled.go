package replicas

import (
	"maps"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/replicas/planner"
)

// planAround plans around the clusters whose replicas are left to their autoscalers: what they
// have counts, and the rest is shared out between the others. A cluster to which the preference
// gives nothing in any case is none of them.
func planAround(p planner.Preferences, states []clusterState, key string) (plan planner.Plan, left map[string]int64) {
	left = map[string]int64{}
	inputs := make([]planner.Cluster, 0, len(states))
	for i := range states {
		if s := &states[i]; s.left && mayHave(p, s.Name) {
			left[s.Name] = s.Current
			p.Total -= s.Current
			continue
		}
		inputs = append(inputs, states[i].Cluster)
	}
	p.Total = max(0, p.Total)
	return planner.Spread(p, inputs, key), left
}

// mayHave says whether a preference lets a cluster have replicas.
func mayHave(p planner.Preferences, cluster string) bool {
	if len(p.Clusters) == 0 {
		return true
	}
	preference, named := p.Clusters[cluster]
	if !named {
		preference, named = p.Clusters[planner.EveryCluster]
	}
	return named && (preference.Weight > 0 || preference.Min > 0) && (preference.Max == nil || *preference.Max > 0)
}

// written are the replicas that the federated object is to name. Clusters that decide
// themselves stay in the placement, with the number that is there already: it is not sent,
// and to follow the autoscaler would be a write for each of its. Clusters that are away stay
// as well, see keptAway.
func written(fed *federate.Object, scheduled, left, away map[string]int64) map[string]int64 {
	all := maps.Clone(scheduled)
	maps.Copy(all, away)
	for cluster, has := range left {
		number, named := overridden(fed, cluster)
		if !named {
			number = has
		}
		all[cluster] = number
	}
	return all
}
