// Package policy carries out OverridePolicies and ClusterOverridePolicies: it says which
// of them change a federated object, and makes of each rule a layer of the object's
// intent, which pkg/federate renders beneath the object's own overrides.
//
//	policy.go    a policy, checked and made ready; which objects it selects
//	layers.go    the layers of one object, and what they depend on
//	clusters.go  the clusters that rules select, by name, label, version and what their nodes offer
//	fleet.go     ... and what a rule sees of all of them, for clusters that are alike
//	unmatched.go ... and what they name that no cluster has
//	rule.go      what one rule does to an object
//	pod.go       ... to a pod template
//	derive.go    ... tolerations from the taints of nodes
//	derived.go   ... and from which taints of which nodes
//	images.go    ... and images
//	patches.go   ... and by JSON patches, also in documents that strings hold
//	effects.go   what policies do to an object, for who asks
//	contest.go   ... and where two of them disagree
//
// It is pure: no client, no clock, no goroutine. It imports pkg/federate, pkg/accelerator,
// pkg/workload and the types of the policies. Its messages never hold values of fields.
package policy
