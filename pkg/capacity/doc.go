// Package capacity reads what the nodes of member clusters offer, and publishes it in the
// host cluster as ClusterCapacities, one for each member.
//
//	nodes.go    what is kept of a node, and how nodes become a status: pure
//	pods.go     what is kept of a pod, and what a node's pods ask for together: pure
//	reader.go   a thin watch on the nodes of each engaged member
//	requests.go ... and on its pods, while somebody wants to know what is free
//	devices.go  ... and on the devices that drivers offer there
//	taintrules.go ... and on the rules that taint them
//	nodepools.go ... and on Karpenter's NodePools, which say how far the member can grow
//	nodegroups.go ... and on the node groups of Cluster API and OpenShift, which say so, too
//	nodegroupkinds.go what their kinds are, and what is read of each: data
//	served.go   in which version a member serves what is not in every one
//	publish.go  the ClusterCapacities: who writes them
//	pace.go     ... and how often
//
// What a member says is bounded here. Whatever depends on nodes reads the ClusterCapacity:
// so the controller and the commands of fedctl see the same, and what was known last stays
// known while a member, or the controller, is away.
//
// It imports pkg/accelerator, pkg/fleet and pkg/membership; nothing of internal or cmd.
package capacity
