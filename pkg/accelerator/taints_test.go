package accelerator

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
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
		name      string
		taint     corev1.Taint
		resource  string
		startup   []v1alpha1.StartupTaint
		approvals []Approval
		want      string
		tolerate  *corev1.Toleration
	}{
		{name: "GKE's hardware taint", taint: taint("nvidia.com/gpu", "present", noSchedule), resource: "nvidia.com/gpu", want: "hardware",
			tolerate: &corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
		{name: "without a value", taint: taint("amd.com/gpu", "", noSchedule), resource: "amd.com/gpu", want: "hardware",
			tolerate: &corev1.Toleration{Key: "amd.com/gpu", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
		{name: "the base name of a renamed time slice", taint: taint("nvidia.com/gpu", "true", noSchedule), resource: "nvidia.com/gpu.shared", want: "hardware",
			tolerate: &corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
		{name: "the base name of a MIG slice", taint: taint("nvidia.com/gpu", "true", noSchedule), resource: "nvidia.com/mig-1g.10gb", want: "hardware",
			tolerate: &corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
		{name: "a team's name as value", taint: taint("nvidia.com/gpu", "research", noSchedule), resource: "nvidia.com/gpu", want: "blocked"},
		{name: "NoExecute", taint: taint("nvidia.com/gpu", "present", noExecute), resource: "nvidia.com/gpu", want: "blocked"},
		{name: "another vendor's key", taint: taint("nvidia.com/gpu", "present", noSchedule), resource: "amd.com/gpu", want: "blocked"},
		{name: "a tenant's", taint: taint("dedicated", "gpuGroup", noSchedule), resource: "nvidia.com/gpu", want: "blocked"},
		{name: "another architecture", taint: taint("kubernetes.io/arch", "arm64", noSchedule), resource: "nvidia.com/gpu", want: "blocked"},
		{name: "spot", taint: taint("cloud.google.com/gke-spot", "true", noSchedule), resource: "nvidia.com/gpu", want: "blocked"},
		{name: "the control plane's is a decision, not a state", taint: taint("node-role.kubernetes.io/control-plane", "", noSchedule), resource: "nvidia.com/gpu", want: "blocked"},
		{name: "a fault under the vendor's domain", taint: taint("nvidia.com/gpu-xid-error", "79", noSchedule), resource: "nvidia.com/gpu", want: "passing"},
		{name: "going away, with a time as value", taint: taint("ToBeDeletedByClusterAutoscaler", "1790000000", noSchedule), resource: "nvidia.com/gpu", want: "passing"},
		{name: "a node's state", taint: taint("node.kubernetes.io/not-ready", "", noExecute), resource: "nvidia.com/gpu", want: "passing"},
		{name: "a passing taint stays one when a person approves it", taint: taint("karpenter.sh/disrupted", "", noSchedule), resource: "nvidia.com/gpu", want: "passing",
			approvals: []Approval{{Key: "karpenter.sh/disrupted", Effect: noSchedule}}},
		{name: "a pool's own start-up taint", taint: taint("example.com/driver", "pending", noSchedule), resource: "nvidia.com/gpu", want: "passing",
			startup: []v1alpha1.StartupTaint{{Key: "example.com/driver", Effect: noSchedule}}},
		{name: "a key that only begins like a passing one", taint: taint("karpenter.sh/disruptedness", "", noSchedule), resource: "nvidia.com/gpu", want: "blocked"},
		{name: "preferred", taint: taint("is_gpu", "", prefer), resource: "nvidia.com/gpu", want: "open"},
		{name: "approved", taint: taint("dedicated", "gpuGroup", noSchedule), resource: "nvidia.com/gpu", want: "approved",
			approvals: []Approval{{Key: "dedicated", Value: "gpuGroup", Effect: noSchedule}},
			tolerate:  &corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "gpuGroup", Effect: noSchedule}},
		{name: "approved for another value", taint: taint("dedicated", "payroll", noSchedule), resource: "nvidia.com/gpu", want: "blocked",
			approvals: []Approval{{Key: "dedicated", Value: "gpuGroup", Effect: noSchedule}}},
		{name: "approved for another effect", taint: taint("hpc", "true", noExecute), resource: "nvidia.com/gpu", want: "blocked",
			approvals: []Approval{{Key: "hpc", Value: "true", Effect: noSchedule}}},
		{name: "approved whatever the value", taint: taint("capacity-reservation", "cr-0af3", noSchedule), resource: "aws.amazon.com/neuron", want: "approved",
			approvals: []Approval{{Key: "capacity-reservation", AnyValue: true, Effect: noSchedule}},
			tolerate:  &corev1.Toleration{Key: "capacity-reservation", Operator: corev1.TolerationOpExists, Effect: noSchedule}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, toleration := judge(tt.taint, tt.resource, tt.startup, tt.approvals)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if (toleration == nil) != (tt.tolerate == nil) || toleration != nil && *toleration != *tt.tolerate {
				t.Errorf("got toleration %v, want %v", toleration, tt.tolerate)
			}
		})
	}
}

// judge says in a word what becomes of a taint, and with what it is tolerated.
func judge(taint corev1.Taint, resource string, startup []v1alpha1.StartupTaint, approvals []Approval) (string, *corev1.Toleration) {
	if isPassing(taint, startup) {
		return "passing", nil
	}
	pools := Pools([]Node{{Ready: true, Taints: []corev1.Taint{taint}, Allocatable: map[string]int64{resource: 1}}}, nil, startup)
	d := Derive(map[string]int64{resource: 1}, pools, approvals)
	switch {
	case len(d.Blocked) > 0:
		return "blocked", nil
	case len(d.Tolerations) == 0:
		return "open", nil
	case pools[0].Taints[0].Meaning == v1alpha1.TaintHardware:
		return "hardware", &d.Tolerations[0]
	}
	return "approved", &d.Tolerations[0]
}
