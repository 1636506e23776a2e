// Package diagnosis judges what "fedctl doctor" has read of a federation: what is wrong,
// since when, and which command helps. It is pure: no client, no clock.
//
//	input.go     what is judged
//	diagnose.go  the judges, one after the other
//	plane.go     the control plane: controller, leader, settings, definitions, policies
//	clusters.go  the members: readiness, credentials, rights, autoscalers, clocks
//	objects.go   what is federated, grouped by what is wrong with it
package diagnosis
