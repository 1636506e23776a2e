package workload

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// healthRules are the kinds that kstatus does not know, or judges otherwise than those mean
// who wait for them: a Job is healthy when it is complete, not when it has begun.
var healthRules = map[schema.GroupKind]rule{
	{Kind: "Pod"}:                       judgePod,
	{Kind: "ReplicationController"}:     counts{"spec.replicas", 1, []string{"status.replicas", "status.availableReplicas"}}.judge,
	{Group: "apps", Kind: "Deployment"}: suspendedBy("spec.paused", byKstatus),
	{Group: "apps", Kind: "ReplicaSet"}: failing("ReplicaFailure", byKstatus),
	{Group: "batch", Kind: "Job"}: suspendedBy("spec.suspend", conditions{
		healthy: []string{"Complete"}, degraded: []string{"Failed"}, suspended: []string{"Suspended"},
	}.judge),
	{Group: "batch", Kind: "CronJob"}: suspendedBy("spec.suspend", always),
}

// defaultProgressDeadline is a Deployment's.
//
// Source: Kubernetes API, apps/v1, DeploymentSpec.progressDeadlineSeconds.
const defaultProgressDeadline = 10 * time.Minute

// becomesAvailable are kinds whose objects are to become available and never say that they
// have failed to. A Deployment says so itself, and what runs to completion takes its time.
var becomesAvailable = map[schema.GroupKind]bool{
	{Kind: "ReplicationController"}:                              true,
	{Group: "apps", Kind: "ReplicaSet"}:                          true,
	{Group: "apps", Kind: "StatefulSet"}:                         true,
	{Group: "apps", Kind: "DaemonSet"}:                           true,
	{Group: "leaderworkerset.x-k8s.io", Kind: "LeaderWorkerSet"}: true,
	{Group: "apps.kruise.io", Kind: "CloneSet"}:                  true,
	{Group: "apps.kruise.io", Kind: "StatefulSet"}:               true,
	{Group: "apps.kruise.io", Kind: "DaemonSet"}:                 true,
}
