// Package propagation is the engine: it makes every member cluster hold what
// the federated objects of the host cluster say.
//
// The unit of work is the Item (federated type, object, cluster). An item of
// the host (no cluster) decides: it gathers what is known of the federated object
// and of the member clusters, all of it from memory, has pkg/placement and
// pkg/propagation/ledger decide where the object belongs and what each cluster
// needs, queues one item for each cluster that needs work, and writes the object's
// status once, when those have settled. An item of a member carries out one
// server-side apply, delete or label removal there. A slow or dead member therefore
// delays only its own items.
//
// In the order in which an object comes by:
//
//	engine.go      the parts put together: controller, settings, engaging of members
//	types.go       the federated types that are switched on (typeconfig.Registrar)
//	federated.go   the federated objects of one type, as the host tells them
//	namespaces.go  the FederatedNamespaces, which bound what is in their namespaces
//	members.go     one thin watch for each (member cluster, type): some 150 bytes an object
//	triggers.go    what is told of all these, turned into items
//	worklist.go    the items that wait, and how long what has failed waits
//	queue.go       ... the queue, which is fair between clusters
//	decide.go      host items, with what they gather:
//	placing.go     ... where the object belongs
//	lookout.go     ... what is known of each cluster and of the object there
//	account.go     what is kept of one object: its ledger, with a lock
//	carryout.go    member items: what is to be done, and what has become of it
//	apply.go       ... the object is to be there
//	remove.go      ... it is to be gone, or to lose the label
//	bindings.go    the right to write, where members give it by namespace
//	binder.go      ... in one member, and bindingplan.go where it is to be given
//	memberclient.go the connection to a member; pkg/propagation/member makes the writes
//	status.go      folding the outcomes and writing the status
//	statuspatch.go ... what has to be written of it
//	record.go      KubeFed's version records, where they are switched on
//	statusobject.go its status objects, where a type has them
//	companions.go  ... what the two have in common
//	hostclient.go  the requests to the host
//	events.go, metrics.go
//
// Nothing here decides what is to become of an object: pkg/propagation/ledger does.
//
// It imports the pure packages, its own packages member and ledger, pkg/fleet,
// pkg/membership, pkg/reach and pkg/typeconfig; nothing of internal or cmd. No request to an API
// server is made while a lock is held.
package propagation
