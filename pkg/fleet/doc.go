// Package fleet is one view of the member clusters and of what is watched in
// them and in the host, for every controller that works on the members.
//
//	inventory.go  which clusters there are, and what pkg/placement is asked of them
//	changes.go    whether something has changed of a cluster that placement depends on
//	members.go    the clusters that are connected, with one watch for each type
//	table.go      what is kept of the objects that a watch follows
//	replace.go    ... and what a list changes in it
//	thin.go       ... read as soon as an object arrives, so that nothing else is held
//	watch.go      one running watch, which fills a table
//	source.go     what a watch lists and follows
//	trouble.go    what is known, and logged once, of a watch that fails
//
// Nothing here waits for a cluster, and no request is made while a lock is held:
// a member that hangs or refuses delays no other.
//
// It imports pkg/membership, pkg/placement, pkg/errtext and the definition of a
// resource of pkg/typeconfig. It knows nothing of the controllers that use it.
package fleet
