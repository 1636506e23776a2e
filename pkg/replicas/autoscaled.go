package replicas

import (
	"maps"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/replicas/planner"
)

// planAround plans around the clusters whose replicas are left to their autoscalers: what they
// have counts, and the rest is shared out between the others. A cluster to which the preference
// gives nothing in any case is none of them.
//
// An autoscaler that has more than its cluster was to have takes none of the minima of the
// others: they get those although there are more than the total then.
func planAround(p planner.Preferences, states []clusterState, key string) (plan planner.Plan, left map[string]int64) {
	left = map[string]int64{}
	inputs := make([]planner.Cluster, 0, len(states))
	rest, beside, minima := p.Total, p.Total, int64(0)
	for i := range states {
		s := &states[i]
		least := min(preferenceOf(p, s.Name).Min, p.Total) // minima are any that a manifest can have
		if s.left && mayHave(p, s.Name) {
			left[s.Name] = s.Current
			rest, beside = rest-s.Current, beside-least
			continue
		}
		inputs, minima = append(inputs, s.Cluster), minima+least
	}
	p.Total = max(0, rest, min(minima, beside))
	return planner.Spread(p, inputs, key), left
}

// mayHave says whether a preference lets a cluster have replicas.
func mayHave(p planner.Preferences, cluster string) bool {
	preference := preferenceOf(p, cluster)
	return (preference.Weight > 0 || preference.Min > 0) && (preference.Max == nil || *preference.Max > 0)
}

// preferenceOf is what is preferred of a cluster; the zero value, with which it gets nothing,
// where it is not named.
func preferenceOf(p planner.Preferences, cluster string) planner.Preference {
	if len(p.Clusters) == 0 {
		return planner.Preference{Weight: 1}
	}
	preference, named := p.Clusters[cluster]
	if !named {
		preference = p.Clusters[planner.EveryCluster]
	}
	return preference
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
