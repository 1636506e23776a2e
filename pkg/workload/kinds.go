package workload

// component is a group of pods: where their template is, and how many there are of it.
type component struct {
	// template is the path of a PodTemplateSpec; of a PodSpec, if podSpec says so. at is what
	// has to be there of pods that have a template nobody sees, in its place.
	template, at string
	podSpec      bool
	// replicas are paths of numbers whose product is how many pods there are; one, if there
	// are none. "-1" at the end of a path takes one off its number.
	replicas []string
	// counted says that another component counts its pods; uncounted, that nothing does:
	// there is one on each node that fits.
	counted, uncounted bool
}

// pods is a component with a PodTemplateSpec.
func pods(template string, replicas ...string) component {
	return component{template: template, replicas: replicas}
}

// row is what is known of a kind without being told.
type row struct {
	group, kind string
	components  []component
	// health judges its objects; nil: kstatus does.
	health rule
	// patience is had with objects that are to become available; nil: with what runs to an
	// end, and takes its time.
	patience *patience
	source   string
}

// kinds is the table: a kind, its groups of pods, what judges its objects, if that is not
// kstatus, and who says all this.
var kinds = []row{
	{
		"", "Pod", []component{pods("")}, judgePod, nil,
		"Kubernetes API, core/v1, PodStatus",
	}, {
		"", "ReplicationController", []component{pods("spec.template", "spec.replicas")},
		counts{"spec.replicas", 1, []string{"status.replicas", "status.availableReplicas"}}.judge, untilReady("status.readyReplicas"),
		"Kubernetes API, core/v1, ReplicationControllerStatus",
	}, {
		"apps", "Deployment", []component{pods("spec.template", "spec.replicas")}, suspendedBy("spec.paused", byKstatus), likeDeployments,
		"Kubernetes API, apps/v1; paused: gitops-engine, pkg/health/health_deployment.go",
	}, {
		"apps", "ReplicaSet", []component{pods("spec.template", "spec.replicas")}, failing("ReplicaFailure", byKstatus), untilReady("status.readyReplicas"),
		"Kubernetes API, apps/v1; ReplicaFailure: gitops-engine, pkg/health/health_replicaset.go",
	}, {
		"apps", "StatefulSet", []component{pods("spec.template", "spec.replicas")}, nil, untilReady("status.readyReplicas"),
		"Kubernetes API, apps/v1",
	}, {
		"apps", "DaemonSet", []component{{template: "spec.template", uncounted: true}}, nil, untilReady("status.numberReady"),
		"Kubernetes API, apps/v1",
	}, {
		"batch", "Job", []component{pods("spec.template", "spec.parallelism")},
		suspendedBy("spec.suspend", conditions{healthy: []string{"Complete"}, degraded: []string{"Failed"}, suspended: []string{"Suspended"}}.judge), nil,
		"Kubernetes API, batch/v1, JobConditionType",
	}, {
		"batch", "CronJob", []component{pods("spec.jobTemplate.spec.template", "spec.jobTemplate.spec.parallelism")}, suspendedBy("spec.suspend", always), nil,
		"Kubernetes API, batch/v1",
	}, {
		"jobset.x-k8s.io", "JobSet",
		[]component{pods("spec.replicatedJobs.*.template.spec.template", "spec.replicatedJobs.*.replicas", "spec.replicatedJobs.*.template.spec.parallelism")},
		suspendedBy("spec.suspend", conditions{healthy: []string{"Completed"}, degraded: []string{"Failed"}, suspended: []string{"Suspended"}}.judge), nil,
		"kubernetes-sigs/jobset, api/jobset/v1alpha2/jobset_types.go",
	}, {
		"leaderworkerset.x-k8s.io", "LeaderWorkerSet",
		[]component{
			{template: "spec.leaderWorkerTemplate.leaderTemplate", counted: true},
			pods("spec.leaderWorkerTemplate.workerTemplate", "spec.replicas", "spec.leaderWorkerTemplate.size"),
		},
		whileTrue("UpdateInProgress", conditions{healthy: []string{"Available"}}.judge), untilReady("status.readyReplicas"),
		"kubernetes-sigs/lws, api/leaderworkerset/v1/leaderworkerset_types.go",
	}, {
		"ray.io", "RayCluster", rayCluster("spec"), judgeRayCluster, nil,
		"ray-project/kuberay, ray-operator/apis/ray/v1/raycluster_types.go",
	}, {
		"ray.io", "RayJob", append(rayCluster("spec.rayClusterSpec"), pods("spec.submitterPodTemplate")), judgeRayJob, nil,
		"ray-project/kuberay, ray-operator/apis/ray/v1/rayjob_types.go",
	}, {
		"ray.io", "RayService", rayCluster("spec.rayClusterConfig"), conditions{healthy: []string{"Ready"}}.judge, nil,
		"ray-project/kuberay, ray-operator/apis/ray/v1/rayservice_types.go",
	}, {
		"trainer.kubeflow.org", "TrainJob",
		[]component{
			{template: "spec.podTemplateOverrides.*", counted: true},
			{template: "spec.runtimePatches.*.trainingRuntimeSpec.template.spec.replicatedJobs.*.template.spec.template", counted: true},
			{at: "spec.trainer", replicas: []string{"spec.trainer.numNodes"}},
		},
		suspendedBy("spec.suspend", conditions{healthy: []string{"Complete"}, degraded: []string{"Failed"}, suspended: []string{"Suspended"}}.judge), nil,
		"kubeflow/trainer, pkg/apis/trainer/v1alpha1/trainjob_types.go: pods are the runtime's, and only patches are the job's own (podTemplateOverrides up to v2.1, then runtimePatches)",
	},
	kubeflow("PyTorchJob", "pytorchReplicaSpecs"), kubeflow("TFJob", "tfReplicaSpecs"), kubeflow("XGBoostJob", "xgbReplicaSpecs"), kubeflow("MPIJob", "mpiReplicaSpecs"),
	{
		"batch.volcano.sh", "Job", []component{pods("spec.tasks.*.template", "spec.tasks.*.replicas")},
		phases{field: "status.state.phase", healthy: []string{"Completed"}, degraded: []string{"Failed", "Aborted", "Terminated"}, message: "status.state.message"}.judge, nil,
		"volcano-sh/apis, pkg/apis/batch/v1alpha1/job.go, JobPhase",
	}, {
		"serving.kserve.io", "InferenceService",
		[]component{
			{template: "spec.predictor", podSpec: true, replicas: []string{"spec.predictor.minReplicas"}},
			{template: "spec.predictor.workerSpec", podSpec: true, replicas: []string{"spec.predictor.workerSpec.pipelineParallelSize-1"}},
			{template: "spec.transformer", podSpec: true, replicas: []string{"spec.transformer.minReplicas"}},
			{template: "spec.explainer", podSpec: true, replicas: []string{"spec.explainer.minReplicas"}},
		},
		first(phases{field: "status.modelStatus.transitionStatus", degraded: []string{"BlockedByFailedLoad", "InvalidSpec"}, message: "status.modelStatus.lastFailureInfo.message"}.judge,
			conditions{healthy: []string{"Ready"}}.judge), nil,
		"kserve/kserve, pkg/apis/serving/v1beta1: component.go, podspec.go, inference_service_status.go",
	}, {
		"argoproj.io", "Rollout", []component{pods("spec.template", "spec.replicas")},
		phases{field: "status.phase", healthy: []string{"Healthy"}, degraded: []string{"Degraded"}, suspended: []string{"Paused"}, message: "status.message"}.judge, nil,
		"argoproj/argo-rollouts, pkg/apis/rollouts/v1alpha1/types.go, RolloutPhase",
	}, {
		"apps.kruise.io", "CloneSet", []component{pods("spec.template", "spec.replicas")},
		suspendedBy("spec.updateStrategy.paused", both(
			counts{"spec.replicas", 1, []string{"status.replicas", "status.readyReplicas"}}.judge,
			counts{"status.expectedUpdatedReplicas", 0, []string{"status.updatedReadyReplicas"}}.judge)), untilReady("status.readyReplicas"),
		"openkruise/kruise-api, apps/v1alpha1/cloneset_types.go",
	}, {
		"apps.kruise.io", "StatefulSet", []component{pods("spec.template", "spec.replicas")},
		counts{"spec.replicas", 1, []string{"status.replicas", "status.readyReplicas", "status.availableReplicas"}}.judge, untilReady("status.readyReplicas"),
		"openkruise/kruise-api, apps/v1beta1/statefulset_types.go",
	}, {
		"apps.kruise.io", "DaemonSet", []component{{template: "spec.template", uncounted: true}},
		counts{"status.desiredNumberScheduled", 0, []string{"status.currentNumberScheduled", "status.numberAvailable"}}.judge, untilReady("status.numberReady"),
		"openkruise/kruise-api, apps/v1alpha1/daemonset_types.go",
	}, {
		"flink.apache.org", "FlinkDeployment",
		[]component{
			{template: "spec.podTemplate", uncounted: true}, pods("spec.jobManager.podTemplate", "spec.jobManager.replicas"),
			pods("spec.taskManager.podTemplate", "spec.taskManager.replicas"),
		},
		phases{field: "status.lifecycleState", healthy: []string{"STABLE"}, degraded: []string{"FAILED", "ROLLED_BACK"}, suspended: []string{"SUSPENDED"}, message: "status.error"}.judge, nil,
		"apache/flink-kubernetes-operator, docs/content/docs/custom-resource/reference.md, ResourceLifecycleState",
	}, {
		"sparkoperator.k8s.io", "SparkApplication", []component{pods("spec.driver.template"), pods("spec.executor.template", "spec.executor.instances")},
		suspendedBy("spec.suspend", phases{
			field: "status.applicationState.state", healthy: []string{"RUNNING", "COMPLETED"}, degraded: []string{"FAILED", "SUBMISSION_FAILED"},
			suspended: []string{"SUSPENDED"}, message: "status.applicationState.errorMessage",
		}.judge), nil,
		"kubeflow/spark-operator, api/v1beta2/sparkapplication_types.go; RUNNING: argo-cd, resource_customizations/sparkoperator.k8s.io",
	},
}
