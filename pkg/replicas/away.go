package replicas

import (
	"slices"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/replicas/planner"
)

// keptAway are clusters that are not ready and that the federated object is placed in by name,
// with the number that they have there. Others take their share over, but they stay placed, as
// they are: one that is taken out would have its workload deleted when it is back, and made
// again a moment later, although nobody has changed anything. Where the preference gives
// nothing, it is 0, as for a cluster that is ready.
//
// KubeFed takes them out.
func keptAway(fed *federate.Object, p planner.Preferences, unready []string) map[string]int64 {
	kept := map[string]int64{}
	for _, cluster := range unready {
		if !slices.Contains(fed.Placement.Clusters, cluster) {
			continue
		}
		if !mayHave(p, cluster) {
			kept[cluster] = 0
			continue
		}
		number, named := overridden(fed, cluster)
		if !named {
			number = fed.TemplateReplicas()
		}
		kept[cluster] = number
	}
	return kept
}
