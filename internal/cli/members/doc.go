// Package members is how commands reach the member clusters that a user names: through
// the API of the fleet in the host, or by the user's own kubeconfig contexts. It is no
// command.
//
//   - choice.go: which members are meant, in the words of --clusters
//   - flags.go, namespaces.go: the flags that commands share
//   - reach.go: the members that can be reached, by one way or the other, and who is missing
//   - contexts.go: whether a context of the kubeconfig leads to a member
//   - joint.go: all members as one API server, where contexts lead to them; asking.go: how one is
//     asked there; listing.go: lists and objects; watching.go: watches, following.go: of one member
//   - getter.go: one member, as kubectl's code takes it
//   - find.go: an object of a member
//   - notes.go: who is missing, said once
//   - bound.go: requests that end with their command
package members
