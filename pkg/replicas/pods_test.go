package replicas

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCountPods(t *testing.T) {
	now := time.Now()
	pod := func(phase corev1.PodPhase, conditions ...corev1.PodCondition) corev1.Pod {
		return corev1.Pod{Status: corev1.PodStatus{Phase: phase, Conditions: conditions}}
	}
	ready := func(status corev1.ConditionStatus) corev1.PodCondition {
		return corev1.PodCondition{Type: corev1.PodReady, Status: status}
	}
	unschedulable := func(ago time.Duration) corev1.PodCondition {
		return corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
			LastTransitionTime: metav1.NewTime(now.Add(-ago)),
		}
	}
	gated := unschedulable(time.Hour)
	gated.Reason = corev1.PodReasonSchedulingGated
	leaving := pod(corev1.PodRunning, ready(corev1.ConditionTrue))
	leaving.DeletionTimestamp = &metav1.Time{Time: now}
	leavingPending := pod(corev1.PodPending, unschedulable(time.Hour))
	leavingPending.DeletionTimestamp = &metav1.Time{Time: now}

	for _, test := range []struct {
		name string
		pods []corev1.Pod
		want podCounts
	}{
		{"none", nil, podCounts{}},
		{"running", []corev1.Pod{pod(corev1.PodRunning, ready(corev1.ConditionTrue)), pod(corev1.PodRunning, ready(corev1.ConditionFalse)), pod(corev1.PodRunning)}, podCounts{Running: 1}},
		{"starting", []corev1.Pod{pod(corev1.PodPending), pod(corev1.PodPending, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue})}, podCounts{}},
		{"for long without a node", []corev1.Pod{pod(corev1.PodPending, unschedulable(time.Minute)), pod(corev1.PodPending, unschedulable(time.Hour))}, podCounts{Unschedulable: 2}},
		{"for a moment", []corev1.Pod{pod(corev1.PodPending, unschedulable(10*time.Second)), pod(corev1.PodPending, unschedulable(40*time.Second))}, podCounts{Next: 20 * time.Second}},
		{"held back on purpose", []corev1.Pod{pod(corev1.PodPending, gated)}, podCounts{}},
		{"being deleted", []corev1.Pod{leaving, leavingPending}, podCounts{}},
		{"ended", []corev1.Pod{pod(corev1.PodSucceeded, ready(corev1.ConditionFalse)), pod(corev1.PodFailed)}, podCounts{}},
	} {
		if got := countPods(test.pods, now, time.Minute); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
