// Package accelerator says what a member cluster's nodes offer to pods that compute on
// accelerators, and what such pods need to get there: which extended resources are
// accelerators, which taints of a node are passing, which mark its hardware and which
// are somebody's decision; the pools that nodes form; and the tolerations that let a pod
// run in those of them that are open to it.
//
//	resources.go  which resources compute, and what their nodes' products are
//	taints.go     what a taint means
//	pools.go      nodes become pools, as a ClusterCapacity holds them
//	starting.go   nodes that do not offer what they should
//	growth.go     how far a cluster can grow, and what there is of each resource in all
//	nodepools.go  ... and how far Karpenter's NodePools let it
//	capacity.go   how a ClusterCapacity is read
//	derive.go     pools and what a pod asks for become tolerations
//
// It is pure: values in, values out. It has no client, no clock and no goroutine, and it
// imports nothing of this module but the types in which its results are written. What it
// knows of vendors and tools is data (resources.go, taints.go), each row with its source.
package accelerator
