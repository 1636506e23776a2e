// Package membership knows the member clusters: it turns KubeFedClusters and
// their Secrets in the host cluster into connections, health and facts.
//
// Provider implements multicluster-runtime's provider on KubeFedClusters. Each
// member has a goroutine of its own that probes, connects and reports; nothing
// it waits for is awaited by another member, and no lock is held over I/O.
//
// The package may import pkg/reach, multicluster-runtime, controller-runtime,
// client-go and KubeFed's API types. Clusters are made members by pkg/join, which it
// does not know. It knows nothing of federated types, placement or
// propagation: those ask it which clusters there are and how they fare.
package membership
