// Package union makes one answer of those of several clusters: lists, tables, watch events
// and discovery, each object with the cluster that it is in.
//
//   - version.go: the resource version of several clusters, one of each
//   - token.go: where the next page of a list begins
//   - parameters.go: what a request asks for
//   - missing.go: how a cluster is named whose answer is not in it
//   - accept.go: in which form the answer is to be
//   - values.go: the parts of JSON that is read as it comes; pairs.go: those of an object
//   - list.go: a list that is read item by item
//   - object.go: an object, marked with its cluster; table.go: rows, columns of several tables
//   - event.go: events of watches; change.go: what one tells of which object; known.go: what
//     a watch has told of, compared with a list; pauses.go: when one that has ended is taken up
//   - discovery.go: what several clusters serve
//
// Nothing here reads or writes anything: these are functions of plain values, and readers of
// what they are given. What members and clients say is bounded. It may import pkg/errtext
// and Kubernetes' API types.
package union
