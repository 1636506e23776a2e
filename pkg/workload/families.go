package workload

// What kinds of one family have in common.

// rayCluster are the components of a RayCluster's spec, which is at a field.
func rayCluster(at string) []component {
	return []component{
		pods(at + ".headGroupSpec.template"),
		pods(at+".workerGroupSpecs.*.template", at+".workerGroupSpecs.*.replicas", at+".workerGroupSpecs.*.numOfHosts"),
	}
}

// judgeRayCluster: state is ready once all pods are, and the conditions say what is wrong now.
var judgeRayCluster = first(
	conditions{degraded: []string{"ReplicaFailure"}, suspended: []string{"RayClusterSuspended"}}.judge,
	phases{field: "status.state", healthy: []string{"ready"}, degraded: []string{"failed", "unhealthy"}, suspended: []string{"suspended"}, message: "status.reason"}.judge)

// judgeRayJob: what its job says, and then what becomes of its cluster. Complete is also that
// of a job that has failed.
var judgeRayJob = first(
	phases{field: "status.jobStatus", degraded: []string{"FAILED", "STOPPED"}, message: "status.message"}.judge,
	phases{
		field: "status.jobDeploymentStatus", healthy: []string{"Complete"}, degraded: []string{"Failed", "ValidationFailed"},
		suspended: []string{"Suspended"}, message: "status.message",
	}.judge)

// kubeflow is a kind of the training operator, with its pods in a map of replicas.
func kubeflow(kind, replicaSpecs string) row {
	at := "spec." + replicaSpecs + ".*"
	return row{
		"kubeflow.org", kind, []component{pods(at+".template", at+".replicas")},
		suspendedBy("spec.runPolicy.suspend", conditions{healthy: []string{"Succeeded"}, degraded: []string{"Failed"}, suspended: []string{"Suspended"}}.judge), nil,
		"kubeflow/training-operator, pkg/apis/kubeflow.org/v1/common_types.go; MPIJob of v2beta1: kubeflow/mpi-operator",
	}
}
