// Package preview says what the controller makes of a federated object: in which
// clusters it is to be and why, and what each of them gets.
//
//   - facts.go: what this depends on beside the object, read from the host cluster or
//     from a file that "fedctl get facts" has written
//   - preview.go: the answer, a function of these two
//
// It decides nothing itself: placement is pkg/placement's, the objects are
// pkg/federate's, as in the controller. It makes no request to a member cluster and
// knows no command.
package preview
