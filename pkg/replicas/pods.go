package replicas

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// podCounts is what the pods of a workload say of the room in their cluster.
type podCounts struct {
	// Running pods are ready.
	Running int64
	// Unschedulable pods have had no node for longer than is waited for.
	Unschedulable int64
	// Next is when another pod will count as unschedulable; 0 if none is about to.
	Next time.Duration
}

// countPods counts a workload's pods. A pod without a node counts as
// unschedulable only after some time, because replicas would be moved to and fro
// otherwise whenever a cluster takes a moment to make room. Pods that are being
// deleted are neither.
func countPods(pods []corev1.Pod, now time.Time, after time.Duration) podCounts {
	var counts podCounts
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		if pod.Status.Phase == corev1.PodRunning {
			if ready := podCondition(pod, corev1.PodReady); ready != nil && ready.Status == corev1.ConditionTrue {
				counts.Running++
			}
			continue
		}
		scheduled := podCondition(pod, corev1.PodScheduled)
		if scheduled == nil || scheduled.Status != corev1.ConditionFalse || scheduled.Reason != corev1.PodReasonUnschedulable {
			continue
		}
		left := after - now.Sub(scheduled.LastTransitionTime.Time)
		switch {
		case left <= 0:
			counts.Unschedulable++
		case counts.Next == 0 || left < counts.Next:
			counts.Next = left
		}
	}
	return counts
}

func podCondition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
