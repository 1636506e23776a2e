package replicas

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
)

// ConditionAccepted is there, and False, while something in the spec has no effect. The
// replicas are scheduled all the same, as KubeFed does without a word.
const ConditionAccepted = federate.ConditionAccepted

// Reasons of the condition Accepted.
const (
	// ReasonClusterNotFound: the preference names a cluster that has not joined.
	ReasonClusterNotFound = "ClusterNotFound"
	// ReasonContradiction: a minimum is more than the maximum beside it.
	ReasonContradiction = "Contradiction"
)

// everyCluster is the name of the preference for clusters that have none of their own.
const everyCluster = "*"

// fault is something in the spec that has no effect.
type fault struct{ reason, message string }

// faults looks for what has no effect with these clusters joined.
func (p *preference) faults(joined []string) []fault {
	var faults []fault
	for _, name := range slices.Sorted(maps.Keys(p.spec.Clusters)) {
		field, bounds := "spec.clusters["+name+"]", p.spec.Clusters[name]
		if name != everyCluster && !slices.Contains(joined, name) {
			faults = append(faults, fault{ReasonClusterNotFound, fmt.Sprintf("%s: no cluster %q has joined", field, name)})
		}
		if bounds.MaxReplicas != nil && bounds.MinReplicas > *bounds.MaxReplicas {
			faults = append(faults, fault{ReasonContradiction, fmt.Sprintf(
				"%s: minReplicas is %d, and maxReplicas %d: both cannot hold", field, bounds.MinReplicas, *bounds.MaxReplicas)})
		}
	}
	return faults
}

// acceptedOf is the condition that tells of faults; nil if there are none. like has the
// generation and the time.
func acceptedOf(faults []fault, like metav1.Condition) *metav1.Condition {
	if len(faults) == 0 {
		return nil
	}
	const most = 5
	texts := make([]string, 0, most)
	for _, f := range faults[:min(len(faults), most)] {
		texts = append(texts, f.message)
	}
	if rest := len(faults) - most; rest > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", rest))
	}
	like.Type, like.Status, like.Reason, like.Message = ConditionAccepted, metav1.ConditionFalse, faults[0].reason, errtext.Bounded(strings.Join(texts, "; "), maxMessage)
	return &like
}

// clusterNames are the clusters that have joined.
func (c *Controller) clusterNames() []string {
	var names []string
	for _, info := range c.inventory.Clusters() {
		names = append(names, info.Name)
	}
	return names
}
