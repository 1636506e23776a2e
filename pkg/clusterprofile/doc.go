// Package clusterprofile publishes the member clusters as SIG-Multicluster's
// ClusterProfiles (sigs.k8s.io/cluster-inventory-api), for those who look for clusters
// there: how each fares, its version, what its nodes offer, and where its credentials are.
//
//	profile.go    what a ClusterProfile says: pure
//	publisher.go  who writes it, and how often
//
// Nothing is done where the definition of ClusterProfiles is not installed; "fedctl install
// --cluster-profiles" brings it, and the rights. A ClusterProfile that has another manager
// is left alone. It goes with its KubeFedCluster.
//
// It imports pkg/membership, pkg/fleet and pkg/errtext; nothing of
// internal or cmd.
package clusterprofile
