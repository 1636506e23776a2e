// Package placement decides which member clusters a federated object is sent to.
//
// It is a function of plain values: what the object asks for, what the
// FederatedNamespace around it allows, and which clusters are joined. The same
// function serves the controller, "fedctl explain" and dry runs, so they cannot
// disagree.
//
// The package may import apimachinery's metadata and label packages and nothing
// else: no client, no clock, no goroutine, no other package of this module.
package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
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

// Decide selects clusters. The error says which selector is invalid; nothing is
// decided then, which must not be taken for "no clusters".
func Decide(in Input) (Decision, error) {
	own, err := newMatcher(in.Placement, "spec.placement")
	if err != nil {
		return Decision{}, err
	}
	var bound *matcher
	if in.Namespaced && in.Namespace != nil {
		if bound, err = newMatcher(*in.Namespace, "the FederatedNamespace's spec.placement"); err != nil {
			return Decision{}, err
		}
	}
	noNamespace := in.Namespaced && in.Namespace == nil && !in.LimitedScope

	clusters := sortedClusters(in.Clusters)
	decision := Decision{
		Clusters:              make([]string, 0, len(clusters)),
		NamespaceNotFederated: noNamespace,
		Verdicts:              make([]Verdict, 0, len(clusters)),
	}
	for i := range clusters {
		verdict := own.judge(&clusters[i])
		if verdict.Selected && noNamespace {
			verdict = namespaceNotFederated(verdict)
		}
		if verdict.Selected && bound != nil {
			verdict = bound.limit(verdict, &clusters[i])
		}
		if verdict.Selected {
			decision.Clusters = append(decision.Clusters, clusters[i].Name)
			if !clusters[i].Ready {
				verdict.Message += "; the cluster is not ready, so changes wait until it is"
			}
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
		d.Verdicts = append(d.Verdicts, notJoined(unknown))
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

// matcher is a Spec made ready for many clusters.
type matcher struct {
	field    string
	named    map[string]bool
	hasNames bool
	selector labels.Selector
	// text is the selector as a user writes it on a command line; "" without a selector.
	text string
}

// newMatcher prepares spec. As in KubeFed, a selector beside a list of clusters
// is not even read, so it cannot be in error.
func newMatcher(spec Spec, field string) (*matcher, error) {
	m := &matcher{field: field, hasNames: spec.HasClusters}
	if spec.HasClusters {
		m.named = make(map[string]bool, len(spec.Clusters))
		for _, name := range spec.Clusters {
			m.named[name] = true
		}
		return m, nil
	}
	if spec.ClusterSelector == nil {
		return m, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(spec.ClusterSelector)
	if err != nil {
		return nil, fmt.Errorf("%s.clusterSelector: %w", field, err)
	}
	m.selector = selector
	m.text = metav1.FormatLabelSelector(spec.ClusterSelector)
	return m, nil
}
