// Package replicas carries out ReplicaSchedulingPreferences: it decides how many
// replicas of a FederatedDeployment or FederatedReplicaSet each member cluster
// runs, and writes that into the federated object, as its placement and one
// override of /spec/replicas for each cluster. pkg/propagation does the rest.
//
// What runs where:
//
//	controller.go  the Controller: what it is made of, types, member clusters
//	queue.go       which preferences are looked at again, when something changes
//	reconcile.go   one preference: gather, plan, write
//	candidates.go  which clusters may get replicas
//	away.go        what becomes of clusters that are not ready
//	autoscaled.go  clusters whose autoscalers decide
//	state.go       how the replicas fare in each cluster, with pods.go
//	edit.go        what changes in the federated object
//	preference.go  ReplicaSchedulingPreferences as they are read
//	status.go      what is said of them
//	watches.go     the watches, which run while a preference needs them
//	planner        pure: how the replicas are shared out
//
// The package imports the pure packages, pkg/fleet and pkg/typeconfig; nothing of
// pkg/propagation, internal or cmd. No request to an API server is made while a lock
// is held, and no cluster is waited for longer than a request may take.
package replicas
