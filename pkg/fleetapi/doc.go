// Package fleetapi is the aggregated API server of a host cluster: it serves the group
// fleet.fedctl.io, in which users of the host see the members and reach the API of each
// with the login they have in the host.
//
//   - server.go: the generic API server, its authentication and authorization by the host
//   - clusters.go: the members, read from their KubeFedClusters
//   - proxy.go: the way through to a member; upgrade.go, answer.go, streams.go: its parts
//   - known.go: nobody is served before the host can be told from others
//   - everywhere.go: several members at once; listing.go, pages.go, nextpages.go: lists of
//     them, following.go, watching.go: watches
//   - identity.go, path.go, headers.go: who, where to and what of a request gets there,
//     as functions of plain values
//   - members.go, renewal.go: the connections to the members, and their tokens
//
// It keeps nothing but connections, so that any number of it may run. What it does for a
// user it does as him: nothing here decides what he may, but the host's API server before
// and the member's after. It may import pkg/reach, pkg/answers, pkg/settings, pkg/errtext and pkg/tokens,
// k8s.io/apiserver, controller-runtime and KubeFed's API types; it knows neither
// membership, whose verdicts it reads in the KubeFedClusters, nor federated types.
package fleetapi
