// Package propagation is the engine: it makes every member cluster hold what
// the federated objects of the host cluster say.
//
// The unit of work is the Item (federated type, object, cluster). An item of
// the host (no cluster) decides: it reads the federated object and the member
// clusters from memory, asks pkg/placement where the object belongs and
// pkg/federate what each cluster gets, queues one item for each cluster that
// differs, and writes the object's status once, when those have settled. An
// item of a member has one server-side apply, delete or label removal carried out
// there. A slow or dead member therefore delays only its own items.
//
// What runs where:
//
//	types.go       the federated types that are switched on (typeconfig.Registrar)
//	hoststore.go   the federated objects of one type, as the host tells them
//	namespaces.go  the FederatedNamespaces, which bound what is in their namespaces
//	watchset.go    one thin watch for each (member cluster, type)
//	memberstore.go what such a watch keeps: some 150 bytes an object
//	object.go      what is wanted and known of one object in each cluster
//	decide.go      host items: placement, what each cluster needs, queueing
//	finalize.go    host items of objects that are being deleted
//	status.go      host items: folding the outcomes and writing the status
//	record.go      host items: KubeFed's version records, where they are switched on
//	recordstore.go the records that there are in the host
//	carryout.go    member items: preparing a try, recording its outcome
//	apply.go       ... the object is to be there
//	remove.go      ... it is to be gone, or to lose the label
//	queue.go       the queue that is fair between clusters
//
// The requests to a member, and what they take, are pkg/propagation/member's, which
// knows nothing of the engine.
//
// It imports the pure packages, pkg/fleet, pkg/membership and pkg/typeconfig; nothing
// of internal or cmd. No request to an API server is made while a lock is held.
package propagation
