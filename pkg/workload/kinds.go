package workload

// kinds is the table: a kind, the paths of its pod templates, and who says so.
var kinds = []struct {
	group, kind string
	templates   []string
	source      string
}{
	{"", "Pod", []string{""}, "Kubernetes API, core/v1"},
	{"", "ReplicationController", []string{"spec.template"}, "Kubernetes API, core/v1"},
	{"apps", "Deployment", []string{"spec.template"}, "Kubernetes API, apps/v1"},
	{"apps", "ReplicaSet", []string{"spec.template"}, "Kubernetes API, apps/v1"},
	{"apps", "StatefulSet", []string{"spec.template"}, "Kubernetes API, apps/v1"},
	{"apps", "DaemonSet", []string{"spec.template"}, "Kubernetes API, apps/v1"},
	{"batch", "Job", []string{"spec.template"}, "Kubernetes API, batch/v1"},
	{"batch", "CronJob", []string{"spec.jobTemplate.spec.template"}, "Kubernetes API, batch/v1"},
	{"jobset.x-k8s.io", "JobSet", []string{"spec.replicatedJobs.*.template.spec.template"}, "kubernetes-sigs/jobset, v1alpha2"},
	{"leaderworkerset.x-k8s.io", "LeaderWorkerSet", []string{"spec.leaderWorkerTemplate.leaderTemplate", "spec.leaderWorkerTemplate.workerTemplate"}, "kubernetes-sigs/lws, v1"},
	{"ray.io", "RayCluster", []string{"spec.headGroupSpec.template", "spec.workerGroupSpecs.*.template"}, "ray-project/kuberay, v1"},
	{"ray.io", "RayJob", []string{"spec.rayClusterSpec.headGroupSpec.template", "spec.rayClusterSpec.workerGroupSpecs.*.template", "spec.submitterPodTemplate"}, "ray-project/kuberay, v1"},
	{"ray.io", "RayService", []string{"spec.rayClusterConfig.headGroupSpec.template", "spec.rayClusterConfig.workerGroupSpecs.*.template"}, "ray-project/kuberay, v1"},
	{"kubeflow.org", "PyTorchJob", []string{"spec.pytorchReplicaSpecs.*.template"}, "kubeflow/training-operator, v1"},
	{"kubeflow.org", "TFJob", []string{"spec.tfReplicaSpecs.*.template"}, "kubeflow/training-operator, v1"},
	{"kubeflow.org", "XGBoostJob", []string{"spec.xgbReplicaSpecs.*.template"}, "kubeflow/training-operator, v1"},
	{"kubeflow.org", "MPIJob", []string{"spec.mpiReplicaSpecs.*.template"}, "kubeflow/mpi-operator, v2beta1"},
	{"batch.volcano.sh", "Job", []string{"spec.tasks.*.template"}, "volcano-sh/volcano, v1alpha1"},
	{"argoproj.io", "Rollout", []string{"spec.template"}, "argoproj/argo-rollouts, v1alpha1"},
	{"apps.kruise.io", "CloneSet", []string{"spec.template"}, "openkruise/kruise, v1alpha1"},
	{"apps.kruise.io", "StatefulSet", []string{"spec.template"}, "openkruise/kruise, v1beta1"},
	{"apps.kruise.io", "DaemonSet", []string{"spec.template"}, "openkruise/kruise, v1alpha1"},
	{"flink.apache.org", "FlinkDeployment", []string{"spec.podTemplate", "spec.jobManager.podTemplate", "spec.taskManager.podTemplate"}, "apache/flink-kubernetes-operator, v1beta1"},
	{"sparkoperator.k8s.io", "SparkApplication", []string{"spec.driver.template", "spec.executor.template"}, "kubeflow/spark-operator, v1beta2"},
}
