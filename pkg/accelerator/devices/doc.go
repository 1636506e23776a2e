// Package devices counts what drivers of Dynamic Resource Allocation offer on nodes: of a
// member's ResourceSlices, DeviceClasses and DeviceTaintRules the devices of each class on each node, and of
// its ResourceClaims those that are taken. Which device is of which class is judged by the
// API's own evaluator (k8s.io/dynamic-resource-allocation/cel), as the scheduler does.
//
//	slice.go  what is kept of a ResourceSlice, as few bytes as that takes
//	class.go  what is kept of a DeviceClass
//	taintrule.go  what is kept of a DeviceTaintRule, and which devices it closes
//	judge.go  which devices are of which classes: this costs
//	count.go  how many there are on each node, and are taken: this does not
//
// It is pure: no client, no clock, no goroutine. It is apart from pkg/accelerator, because
// that evaluator brings all of CEL with it, which those who read pools do not need.
package devices
