// Package reach is the way to one member cluster: where it is and as whom to go
// there (Access, from a KubeFedCluster and its Secret), whether it answers
// (Prober), and what a failure on the way means (Describe). Connecting, in
// pkg/membership, and joining, in pkg/join, both stand on it, so that a join proves
// just what the controller will use.
//
// It may import client-go, KubeFed's API types, pkg/answers, which bounds what a member
// can make us read, and pkg/errtext. It keeps nothing: no cache, no
// goroutine, and no knowledge of other members.
package reach
