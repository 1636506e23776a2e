package accelerator

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func taint(key, value string, effect corev1.TaintEffect) corev1.Taint {
	return corev1.Taint{Key: key, Value: value, Effect: effect}
}

const (
	noSchedule = corev1.TaintEffectNoSchedule
	noExecute  = corev1.TaintEffectNoExecute
	prefer     = corev1.TaintEffectPreferNoSchedule
)

func TestJudge(t *testing.T) {
	tests := []struct {
		name     string
		taint    corev1.Taint
		resource string
		rules    Rules
		want     Judgement
		tolerate *corev1.Toleration
	}{
		{name: "GKE's hardware taint", taint: taint("nvidia.com/gpu", "present", noSchedule), resource: "nvidia.com/gpu", want: Hardware,
			tolerate: &corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
		{name: "without a value", taint: taint("amd.com/gpu", "", noSchedule), resource: "amd.com/gpu", want: Hardware,
			tolerate: &corev1.Toleration{Key: "amd.com/gpu", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
		{name: "the base name of a renamed time slice", taint: taint("nvidia.com/gpu", "true", noSchedule), resource: "nvidia.com/gpu.shared", want: Hardware,
			tolerate: &corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
		{name: "the base name of a MIG slice", taint: taint("nvidia.com/gpu", "true", noSchedule), resource: "nvidia.com/mig-1g.10gb", want: Hardware,
			tolerate: &corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
		{name: "a team's name as value", taint: taint("nvidia.com/gpu", "research", noSchedule), resource: "nvidia.com/gpu", want: Blocking},
		{name: "NoExecute", taint: taint("nvidia.com/gpu", "present", noExecute), resource: "nvidia.com/gpu", want: Blocking},
		{name: "another vendor's key", taint: taint("nvidia.com/gpu", "present", noSchedule), resource: "amd.com/gpu", want: Blocking},
		{name: "a tenant's", taint: taint("dedicated", "gpuGroup", noSchedule), resource: "nvidia.com/gpu", want: Blocking},
		{name: "another architecture", taint: taint("kubernetes.io/arch", "arm64", noSchedule), resource: "nvidia.com/gpu", want: Blocking},
		{name: "spot", taint: taint("cloud.google.com/gke-spot", "true", noSchedule), resource: "nvidia.com/gpu", want: Blocking},
		{name: "the control plane's is a decision, not a state", taint: taint("node-role.kubernetes.io/control-plane", "", noSchedule), resource: "nvidia.com/gpu", want: Blocking},
		{name: "a fault under the vendor's domain", taint: taint("nvidia.com/gpu-xid-error", "79", noSchedule), resource: "nvidia.com/gpu", want: Passing},
		{name: "going away, with a time as value", taint: taint("ToBeDeletedByClusterAutoscaler", "1790000000", noSchedule), resource: "nvidia.com/gpu", want: Passing},
		{name: "a node's state", taint: taint("node.kubernetes.io/not-ready", "", noExecute), resource: "nvidia.com/gpu", want: Passing},
		{name: "a passing taint stays one when a person approves it", taint: taint("karpenter.sh/disrupted", "", noSchedule), resource: "nvidia.com/gpu", want: Passing,
			rules: Rules{Approvals: []Approval{{Key: "karpenter.sh/disrupted", Effect: noSchedule}}}},
		{name: "a pool's own start-up taint", taint: taint("example.com/driver", "pending", noSchedule), resource: "nvidia.com/gpu", want: Passing,
			rules: Rules{StartupTaints: []corev1.Taint{taint("example.com/driver", "", noSchedule)}}},
		{name: "a key that only begins like a passing one", taint: taint("karpenter.sh/disruptedness", "", noSchedule), resource: "nvidia.com/gpu", want: Blocking},
		{name: "preferred", taint: taint("is_gpu", "", prefer), resource: "nvidia.com/gpu", want: Preferred},
		{name: "approved", taint: taint("dedicated", "gpuGroup", noSchedule), resource: "nvidia.com/gpu", want: Approved,
			rules:    Rules{Approvals: []Approval{{Key: "dedicated", Value: "gpuGroup", Effect: noSchedule}}},
			tolerate: &corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "gpuGroup", Effect: noSchedule}},
		{name: "approved for another value", taint: taint("dedicated", "payroll", noSchedule), resource: "nvidia.com/gpu", want: Blocking,
			rules: Rules{Approvals: []Approval{{Key: "dedicated", Value: "gpuGroup", Effect: noSchedule}}}},
		{name: "approved for another effect", taint: taint("hpc", "true", noExecute), resource: "nvidia.com/gpu", want: Blocking,
			rules: Rules{Approvals: []Approval{{Key: "hpc", Value: "true", Effect: noSchedule}}}},
		{name: "approved whatever the value", taint: taint("capacity-reservation", "cr-0af3", noSchedule), resource: "aws.amazon.com/neuron", want: Approved,
			rules:    Rules{Approvals: []Approval{{Key: "capacity-reservation", AnyValue: true, Effect: noSchedule}}},
			tolerate: &corev1.Toleration{Key: "capacity-reservation", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, toleration := judge(tt.taint, Node{Allocatable: map[string]int64{tt.resource: 1}}, tt.rules)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if (toleration == nil) != (tt.tolerate == nil) || toleration != nil && *toleration != *tt.tolerate {
				t.Errorf("got toleration %v, want %v", toleration, tt.tolerate)
			}
		})
	}
}
