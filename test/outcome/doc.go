// Package outcome says where what came out in one place differs from what came out
// in another: in the members of two federations, or in two namespaces of one member.
//
//   - A Table takes away what is a cluster's own: UIDs, versions, allocated addresses.
//   - Diff names the paths at which two values differ.
//   - A Sheet holds the differences that are expected, each with its reason, and
//     knows which of them have not been seen.
//
// The suites differential and convergence stand on it. It works on plain values and
// may import apimachinery's types only: no client, no clock, no goroutine.
package outcome
