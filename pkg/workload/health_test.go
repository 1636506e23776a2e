package workload

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

func TestHealth(t *testing.T) {
	const ready = `"conditions":[{"type":"Ready","status":"True"}]`
	for name, test := range map[string]struct {
		group, kind, object string
		want                HealthStatus
		message             string
	}{
		"a Deployment":                     {"apps", "Deployment", `{"spec":{"replicas":1},"status":{"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1,"conditions":[{"type":"Available","status":"True"}]}}`, Healthy, ""},
		"a Deployment that rolls out":      {"apps", "Deployment", `{"spec":{"replicas":2},"status":{"replicas":2,"updatedReplicas":1}}`, Progressing, "Updated: 1/2"},
		"a Deployment nobody has seen":     {"apps", "Deployment", `{"metadata":{"generation":2},"status":{"observedGeneration":1}}`, Progressing, "generation 2 has not been observed yet"},
		"a Deployment out of time":         {"apps", "Deployment", `{"status":{"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded"}]}}`, Degraded, "Progress deadline exceeded"},
		"a Deployment that is paused":      {"apps", "Deployment", `{"spec":{"paused":true}}`, Suspended, "spec.paused is true"},
		"a ReplicaSet that is refused":     {"apps", "ReplicaSet", `{"status":{"conditions":[{"type":"ReplicaFailure","status":"True","reason":"FailedCreate","message":"quota"}]}}`, Degraded, "FailedCreate: quota"},
		"a ReplicationController":          {"", "ReplicationController", `{"spec":{"replicas":2},"status":{"replicas":2,"availableReplicas":1}}`, Progressing, "status.availableReplicas: 1/2"},
		"a ReplicationController in order": {"", "ReplicationController", `{"status":{"replicas":1,"availableReplicas":1}}`, Healthy, ""},
		"a StatefulSet":                    {"apps", "StatefulSet", `{"spec":{"replicas":2},"status":{"replicas":2,"readyReplicas":1}}`, Progressing, "Ready: 1/2"},
		"a Job that runs":                  {"batch", "Job", `{"status":{"startTime":"2030-01-01T00:00:00Z","active":1}}`, Progressing, "not yet Complete"},
		"a Job that is complete":           {"batch", "Job", `{"status":{"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}]}}`, Healthy, ""},
		"a Job that has failed":            {"batch", "Job", `{"status":{"conditions":[{"type":"Failed","status":"True","reason":"BackoffLimitExceeded"}]}}`, Degraded, "BackoffLimitExceeded"},
		"a Job that waits":                 {"batch", "Job", `{"spec":{"suspend":true}}`, Suspended, "spec.suspend is true"},
		"a CronJob":                        {"batch", "CronJob", `{}`, Healthy, ""},
		"a CronJob that waits":             {"batch", "CronJob", `{"spec":{"suspend":true}}`, Suspended, "spec.suspend is true"},
		"a Pod":                            {"", "Pod", `{"status":{"phase":"Running",` + ready + `}}`, Healthy, ""},
		"a Pod no node takes":              {"", "Pod", `{"metadata":{"creationTimestamp":"2020-01-01T00:00:00Z"},"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable"}]}}`, Progressing, "the pod is not ready"},
		"a Pod without its image":          {"", "Pod", `{"status":{"phase":"Pending","containerStatuses":[{"name":"a","state":{"waiting":{"reason":"ImagePullBackOff"}}}]}}`, Degraded, "a: ImagePullBackOff"},
		"a Pod that has ended":             {"", "Pod", `{"status":{"phase":"Succeeded"}}`, Healthy, ""},
		"a Pod that has failed":            {"", "Pod", `{"status":{"phase":"Failed","reason":"Evicted","message":"no memory"}}`, Degraded, "Evicted: no memory"},
		"what nobody knows":                {"example.com", "Thing", `{}`, Healthy, ""},
		"what is not Ready":                {"example.com", "Thing", `{"status":{"conditions":[{"type":"Ready","status":"False","message":"no disk"}]}}`, Progressing, "no disk"},
		"what says that it is stuck":       {"example.com", "Thing", `{"status":{"conditions":[{"type":"Stalled","status":"True","message":"no disk"}]}}`, Degraded, "no disk"},
		"what goes":                        {"example.com", "Thing", `{"metadata":{"deletionTimestamp":"2030-01-01T00:00:00Z"},"status":{` + ready + `}}`, Progressing, "it is being deleted"},
		"what cannot be read":              {"example.com", "Thing", `{"status":{"conditions":7}}`, Unknown, "its status cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Builtin().Health(schema.GroupKind{Group: test.group, Kind: test.kind}, withKind(tree(t, test.object), test.group, test.kind))
			if got != (Health{test.want, test.message}) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Of an object that is not healthy, what tells when that has gone on for too long.
func TestJudge(t *testing.T) {
	// A rollout is over: the Deployment's controller will never say that it is late.
	const over = `{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}`
	const few = `{"type":"Available","status":"False","reason":"MinimumReplicasUnavailable"}`
	const enough = `{"type":"Available","status":"True"}`
	counted := func(ready string, conditions ...string) string {
		return `"status":{"replicas":4,"updatedReplicas":4,"readyReplicas":` + ready + `,"availableReplicas":` + ready + `,"conditions":[` + strings.Join(conditions, ",") + `]}`
	}
	for name, test := range map[string]struct {
		group, kind, object string
		status              HealthStatus
		deadline            time.Duration
		down                bool
	}{
		"a Deployment that is rolled out":           {"apps", "Deployment", `{"spec":{"replicas":4,"progressDeadlineSeconds":60},` + counted("0", `{"type":"Progressing","status":"True","reason":"ReplicaSetUpdated"}`, few) + `}`, Progressing, 0, true},
		"a Deployment whose pods crash":             {"apps", "Deployment", `{"spec":{"replicas":4,"progressDeadlineSeconds":60},` + counted("0", over, few) + `}`, Progressing, time.Minute, true},
		"a Deployment with one pod that crashes":    {"apps", "Deployment", `{"spec":{"replicas":4},` + counted("3", over, enough) + `}`, Progressing, 10 * time.Minute, false},
		"a Deployment that works":                   {"apps", "Deployment", `{"spec":{"replicas":4},` + counted("4", over, enough) + `}`, Healthy, 10 * time.Minute, false},
		"a Deployment that may take as long":        {"apps", "Deployment", `{"spec":{"replicas":4,"progressDeadlineSeconds":2147483647},` + counted("0", few) + `}`, Progressing, 0, true},
		"a StatefulSet that is not ready":           {"apps", "StatefulSet", `{"spec":{"replicas":4},` + counted("0") + `}`, Progressing, 10 * time.Minute, true},
		"a StatefulSet of which a part is":          {"apps", "StatefulSet", `{"spec":{"replicas":4},` + counted("3") + `}`, Progressing, 10 * time.Minute, false},
		"a DaemonSet that is not ready":             {"apps", "DaemonSet", `{"status":{"desiredNumberScheduled":2,"currentNumberScheduled":2,"updatedNumberScheduled":2,"numberReady":0}}`, Progressing, 10 * time.Minute, true},
		"a Job, which takes its time":               {"batch", "Job", `{"status":{"active":1}}`, Progressing, 0, false},
		"what nobody knows, and takes its time too": {"example.com", "Thing", `{"status":{"conditions":[{"type":"Ready","status":"False"}]}}`, Progressing, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := Builtin().Judge(schema.GroupKind{Group: test.group, Kind: test.kind}, withKind(tree(t, test.object), test.group, test.kind))
			if got.Status != test.status || got.Deadline != test.deadline || got.Down != test.down {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// withKind is an object as an API server sends it: kstatus looks at its kind.
func withKind(object map[string]any, group, kind string) map[string]any {
	object["apiVersion"], object["kind"] = strings.TrimPrefix(group+"/v1", "/"), kind
	return object
}

// What an object says of itself is one line of a bounded length.
func TestHealthIsBounded(t *testing.T) {
	object := tree(t, `{"status":{"conditions":[{"type":"Failed","status":"True","message":"`+strings.Repeat(`x\n`, 4000)+`"}]}}`)
	got := Builtin().Health(schema.GroupKind{Group: "batch", Kind: "Job"}, object)
	if got.Status != Degraded || len(got.Message) > longestMessage || strings.Contains(got.Message, "\n") {
		t.Errorf("got %+v", got)
	}
}

// Whatever a member says of an object: a word comes of it, and no panic.
func FuzzHealth(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"metadata":7,"spec":[],"status":"x"}`, `{"metadata":{"generation":"2"},"status":{"observedGeneration":1.5,"conditions":[1,null,{"type":{}}]}}`,
		`{"status":{"phase":"Running","containerStatuses":[1,{"name":2,"state":[]},{"state":{"waiting":{"reason":3}}}],"conditions":{}}}`,
		`{"spec":{"replicas":"many","suspend":"yes"},"status":{"replicas":-1,"state":{"phase":[]},"applicationState":7}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var object map[string]any
		if err := utiljson.Unmarshal([]byte(text), &object); err != nil || object == nil {
			return
		}
		for kind := range Builtin().rows {
			switch got := Builtin().Health(kind, withKind(object, kind.Group, kind.Kind)); got.Status {
			case Healthy, Progressing, Degraded, Suspended, Unknown:
				if len(got.Message) > longestMessage {
					t.Errorf("%s: %d bytes", kind, len(got.Message))
				}
			default:
				t.Errorf("%s: %+v", kind, got)
			}
		}
	})
}

// What kinds of others say of themselves, and what comes of it.
func TestHealthOfRows(t *testing.T) {
	condition := func(kind string) string {
		return `{"status":{"conditions":[{"type":"` + kind + `","status":"True","reason":"R"}]}}`
	}
	for _, test := range []struct {
		group, kind, object string
		want                HealthStatus
	}{
		{"jobset.x-k8s.io", "JobSet", condition("Completed"), Healthy},
		{"jobset.x-k8s.io", "JobSet", condition("Failed"), Degraded},
		{"jobset.x-k8s.io", "JobSet", `{"spec":{"suspend":true}}`, Suspended},
		{"leaderworkerset.x-k8s.io", "LeaderWorkerSet", condition("Available"), Healthy},
		{"leaderworkerset.x-k8s.io", "LeaderWorkerSet", `{"status":{"conditions":[{"type":"Available","status":"True"},{"type":"UpdateInProgress","status":"True"}]}}`, Progressing},
		{"ray.io", "RayCluster", `{"status":{"state":"ready"}}`, Healthy},
		{"ray.io", "RayCluster", `{"status":{"state":"ready","conditions":[{"type":"ReplicaFailure","status":"True"}]}}`, Degraded},
		{"ray.io", "RayCluster", `{"status":{"state":"suspended"}}`, Suspended},
		{"ray.io", "RayJob", `{"status":{"jobStatus":"RUNNING","jobDeploymentStatus":"Running"}}`, Progressing},
		{"ray.io", "RayJob", `{"status":{"jobStatus":"SUCCEEDED","jobDeploymentStatus":"Complete"}}`, Healthy},
		{"ray.io", "RayJob", `{"status":{"jobStatus":"FAILED","jobDeploymentStatus":"Complete"}}`, Degraded},
		{"ray.io", "RayService", condition("Ready"), Healthy},
		{"trainer.kubeflow.org", "TrainJob", condition("Complete"), Healthy},
		{"trainer.kubeflow.org", "TrainJob", condition("Failed"), Degraded},
		{"kubeflow.org", "PyTorchJob", condition("Running"), Progressing},
		{"kubeflow.org", "PyTorchJob", condition("Succeeded"), Healthy},
		{"kubeflow.org", "MPIJob", `{"spec":{"runPolicy":{"suspend":true}}}`, Suspended},
		{"batch.volcano.sh", "Job", `{"status":{"state":{"phase":"Running"}}}`, Progressing},
		{"batch.volcano.sh", "Job", `{"status":{"state":{"phase":"Completed"}}}`, Healthy},
		{"batch.volcano.sh", "Job", `{"status":{"state":{"phase":"Aborted"}}}`, Degraded},
		{"serving.kserve.io", "InferenceService", condition("Ready"), Healthy},
		{"serving.kserve.io", "InferenceService", `{"status":{"modelStatus":{"transitionStatus":"BlockedByFailedLoad","lastFailureInfo":{"message":"no model"}}}}`, Degraded},
		{"argoproj.io", "Rollout", `{"metadata":{"generation":3},"status":{"observedGeneration":"3","phase":"Healthy"}}`, Healthy},
		{"argoproj.io", "Rollout", `{"metadata":{"generation":4},"status":{"observedGeneration":"3","phase":"Healthy"}}`, Progressing},
		{"argoproj.io", "Rollout", `{"status":{"phase":"Paused","message":"CanaryPauseStep"}}`, Suspended},
		{"apps.kruise.io", "CloneSet", `{"spec":{"replicas":2},"status":{"replicas":2,"readyReplicas":2,"expectedUpdatedReplicas":2,"updatedReadyReplicas":1}}`, Progressing},
		{"apps.kruise.io", "CloneSet", `{"spec":{"replicas":2},"status":{"replicas":2,"readyReplicas":2,"expectedUpdatedReplicas":1,"updatedReadyReplicas":1}}`, Healthy},
		{"apps.kruise.io", "DaemonSet", `{"status":{"desiredNumberScheduled":2,"currentNumberScheduled":2,"numberAvailable":1}}`, Progressing},
		{"flink.apache.org", "FlinkDeployment", `{"status":{"lifecycleState":"STABLE"}}`, Healthy},
		{"flink.apache.org", "FlinkDeployment", `{"status":{"lifecycleState":"FAILED","error":"no jar"}}`, Degraded},
		{"sparkoperator.k8s.io", "SparkApplication", `{"status":{"applicationState":{"state":"RUNNING"}}}`, Healthy},
		{"sparkoperator.k8s.io", "SparkApplication", `{"status":{"applicationState":{"state":"SUBMISSION_FAILED","errorMessage":"denied"}}}`, Degraded},
	} {
		if got := Builtin().Health(schema.GroupKind{Group: test.group, Kind: test.kind}, tree(t, test.object)); got.Status != test.want {
			t.Errorf("%s %s: got %+v", test.kind, test.object, got)
		}
	}
}

// All components of an object count.
func TestPods(t *testing.T) {
	const pod = `{"spec":{}}`
	for _, test := range []struct {
		group, kind, object string
		want                int64
		known               bool
	}{
		{"", "Pod", `{}`, 1, true},
		{"apps", "Deployment", `{"spec":{"replicas":3,"template":` + pod + `}}`, 3, true},
		{"apps", "Deployment", `{"spec":{"template":` + pod + `}}`, 1, true},
		{"apps", "Deployment", `{"spec":{"replicas":-4,"template":` + pod + `}}`, 0, true},
		{"apps", "DaemonSet", `{"spec":{"template":` + pod + `}}`, 1, false},
		{"jobset.x-k8s.io", "JobSet", `{"spec":{"replicatedJobs":[{"replicas":2,"template":{"spec":{"parallelism":4,"template":` + pod + `}}},{"template":{"spec":{"template":` + pod + `}}}]}}`, 9, true},
		{"leaderworkerset.x-k8s.io", "LeaderWorkerSet", `{"spec":{"replicas":2,"leaderWorkerTemplate":{"size":4,"leaderTemplate":` + pod + `,"workerTemplate":` + pod + `}}}`, 8, true},
		{"leaderworkerset.x-k8s.io", "LeaderWorkerSet", `{"spec":{"replicas":2,"leaderWorkerTemplate":{"size":4,"workerTemplate":` + pod + `}}}`, 8, true},
		{"ray.io", "RayCluster", `{"spec":{"headGroupSpec":{"template":` + pod + `},"workerGroupSpecs":[{"replicas":3,"numOfHosts":2,"template":` + pod + `}]}}`, 7, true},
		{"kubeflow.org", "PyTorchJob", `{"spec":{"pytorchReplicaSpecs":{"Master":{"template":` + pod + `},"Worker":{"replicas":3,"template":` + pod + `}}}}`, 4, true},
		{"trainer.kubeflow.org", "TrainJob", `{"spec":{"trainer":{"numNodes":4},"podTemplateOverrides":[` + pod + `,` + pod + `]}}`, 4, true},
		{"serving.kserve.io", "InferenceService", `{"spec":{"predictor":{"minReplicas":2},"transformer":{}}}`, 3, true},
		{"batch.volcano.sh", "Job", `{"spec":{"tasks":[{"replicas":2000000000,"template":` + pod + `},{"replicas":3,"template":` + pod + `}]}}`, 2000000003, true},
		{"example.com", "Thing", `{}`, 0, false},
	} {
		pods, known := Builtin().Pods(schema.GroupKind{Group: test.group, Kind: test.kind}, tree(t, test.object))
		if pods != test.want || known != test.known {
			t.Errorf("%s %s: got %d, %v", test.kind, test.object, pods, known)
		}
	}
}
