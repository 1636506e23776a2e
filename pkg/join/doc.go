// Package join makes a cluster a member and lets it go: what fedctl's commands join
// and unjoin carry out. In the member that is an account with a token and the rights
// that the federated types need; in the host, a Secret and a KubeFedCluster.
//
// Everything is read and checked first (names, rights of the user, what is there
// already) and then changed step by step, so that a join or unjoin that has failed
// half-way is repeated and does the rest. Nothing is ever removed from a cluster that
// is not certainly the one which joined.
//
// It may import pkg/reach, pkg/api, pkg/kubefedconfig, controller-runtime's client, client-go and
// KubeFed's API types. pkg/membership, which connects to what has joined, and this
// package do not know each other.
package join
