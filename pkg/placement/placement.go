// Package placement decides which member clusters a federated object is sent to.
//
// It is a function of plain values: what the object asks for, what the
// FederatedNamespace around it allows, and which clusters are joined. The same
// function serves the controller, "fedctl explain" and dry runs, so they cannot
// disagree.
//
// A cluster is selected if every filter lets it pass. filter.go has the list of them;
// each has a file of its own, and a new one is a file and an entry in that list. Each
// verdict has a reason; the sentence for people is only made for who asks.
//
// The package may import apimachinery's metadata and label packages and nothing
// else: no client, no clock, no goroutine, no other package of this module.
package placement

import (
	"cmp"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Spec is spec.placement of a federated object.
type Spec struct {
	// Clusters names the clusters, in the order of the manifest. Duplicates are allowed.
	Clusters []string
	// HasClusters says that the list is there, even if it is empty. A list,
	// also an empty one, makes ClusterSelector meaningless.
	HasClusters bool
	// ClusterSelector selects clusters by their labels: nil selects none, an
	// empty selector all.
	ClusterSelector *metav1.LabelSelector
}

// Cluster is a joined member cluster. Names are unique.
type Cluster struct {
	Name   string
	Labels map[string]string
	// Ready does not change what is selected: work for an unready cluster waits.
	// It is only told in the verdict.
	Ready bool
}

// Input is all that placement depends on.
type Input struct {
	Placement Spec
	// Namespaced says that the target type is namespaced, so that the
	// FederatedNamespace bounds the placement. Namespaces themselves are not.
	Namespaced bool
	// Namespace is the placement of the FederatedNamespace ns/ns; nil when there is none.
	Namespace *Spec
	// LimitedScope is a control plane that serves one namespace: there a missing
	// FederatedNamespace does not limit anything, but one that exists does.
	LimitedScope bool
	// Clusters are the joined clusters, in any order.
	Clusters []Cluster
}

// Decision is the answer.
type Decision struct {
	// Clusters are the names of the selected clusters, sorted; never nil.
	Clusters []string
	// NamespaceNotFederated says that nothing is selected because there is no
	// FederatedNamespace around the object.
	NamespaceNotFederated bool
	// Unknown are clusters the object names that are not joined, each once, in
	// the order of the manifest.
	Unknown []UnknownCluster
	// Verdicts has one entry for every joined or named cluster, sorted by name.
	Verdicts []Verdict
}

// UnknownCluster is a name in the placement that no joined cluster has.
type UnknownCluster struct {
	Name string
	// Field is where the name is, e.g. spec.placement.clusters[1].name.
	Field string
}

// Decide selects clusters: those that every filter lets pass. The error says which
// selector is invalid; nothing is decided then, which must not be taken for "no
// clusters".
func Decide(in Input) (Decision, error) {
	passing, err := in.filters()
	if err != nil {
		return Decision{}, err
	}
	clusters := sortedClusters(in.Clusters)
	decision := Decision{
		Clusters:              make([]string, 0, len(clusters)),
		NamespaceNotFederated: in.namespaceNotFederated(),
		Verdicts:              make([]Verdict, 0, len(clusters)),
	}
	for i := range clusters {
		verdict := judge(passing, &clusters[i])
		if verdict.Selected {
			decision.Clusters = append(decision.Clusters, clusters[i].Name)
		}
		decision.Verdicts = append(decision.Verdicts, verdict)
	}
	decision.addUnknown(in.Placement, clusters)
	return decision, nil
}

// addUnknown records the names in the placement that are not joined.
func (d *Decision) addUnknown(spec Spec, clusters []Cluster) {
	if !spec.HasClusters {
		return
	}
	var seen map[string]bool
	for i, name := range spec.Clusters {
		if _, joined := findCluster(clusters, name); joined || seen[name] {
			continue
		}
		if seen == nil {
			seen = map[string]bool{}
		}
		seen[name] = true
		unknown := UnknownCluster{Name: name, Field: "spec.placement.clusters[" + strconv.Itoa(i) + "].name"}
		d.Unknown = append(d.Unknown, unknown)
		d.Verdicts = append(d.Verdicts, Verdict{Cluster: name, Reason: ReasonNotJoined, by: unknown})
	}
	if d.Unknown != nil {
		slices.SortStableFunc(d.Verdicts, func(a, b Verdict) int { return cmp.Compare(a.Cluster, b.Cluster) })
	}
}

// sortedClusters returns the clusters sorted by name, copying only when needed.
func sortedClusters(clusters []Cluster) []Cluster {
	byName := func(a, b Cluster) int { return cmp.Compare(a.Name, b.Name) }
	if slices.IsSortedFunc(clusters, byName) {
		return clusters
	}
	clusters = slices.Clone(clusters)
	slices.SortStableFunc(clusters, byName)
	return clusters
}

func findCluster(sorted []Cluster, name string) (int, bool) {
	return slices.BinarySearchFunc(sorted, name, func(c Cluster, name string) int { return cmp.Compare(c.Name, name) })
}
