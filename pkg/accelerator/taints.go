package accelerator

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// passing are the taints of nodes that are broken, starting, draining or about to go.
// Nobody is to run there, whatever the effect. A key that ends in a slash stands for all
// that begin with it; any other is matched whole: fault marks share their domain with
// hardware marks (nvidia.com/gpu-xid-error, nvidia.com/gpu).
var passing = []struct{ key, source string }{
	{"node.kubernetes.io/", "kubernetes.io, Taints and Tolerations: node conditions"},
	{"node.cloudprovider.kubernetes.io/", "kubernetes.io, Well-Known Labels, Annotations and Taints"},
	{"ToBeDeletedByClusterAutoscaler", "cluster-autoscaler, utils/taints"},
	{"DeletionCandidateOfClusterAutoscaler", "cluster-autoscaler, utils/taints"},
	{"startup-taint.cluster-autoscaler.kubernetes.io/", "cluster-autoscaler, utils/taints"},
	{"ignore-taint.cluster-autoscaler.kubernetes.io/", "cluster-autoscaler, utils/taints"},
	{"status-taint.cluster-autoscaler.kubernetes.io/", "cluster-autoscaler, utils/taints"},
	{"cloud.google.com/impending-node-termination", "cluster-autoscaler, utils/taints"},
	{"NodeWithImpairedVolumes", "cluster-autoscaler, utils/taints"},
	{"karpenter.sh/disrupted", "Karpenter, pkg/apis/v1"},
	{"karpenter.sh/disruption", "Karpenter, pkg/apis/v1beta1"},
	{"karpenter.sh/unregistered", "Karpenter, pkg/apis/v1"},
	{"aws-node-termination-handler/", "AWS Node Termination Handler"},
	{"remediator.kubernetes.azure.com/unschedulable", "AKS node auto-drain"},
	{"remediator.aks.microsoft.com/unschedulable", "AKS node auto-drain"},
	{"ebs.csi.aws.com/agent-not-ready", "AWS EBS CSI driver"},
	{"efs.csi.aws.com/agent-not-ready", "AWS EFS CSI driver"},
	{"node.cilium.io/agent-not-ready", "Cilium"},
	{"cni.istio.io/not-ready", "Istio CNI"},
	{"readiness.k8s.io/", "SIG Node, Node Readiness Controller"},
	{"node.gardener.cloud/critical-components-not-ready", "Gardener"},
	{"node.cluster.x-k8s.io/uninitialized", "Cluster API"},
	{"node.cluster.x-k8s.io/outdated-revision", "Cluster API"},
	{"UpdateInProgress", "OpenShift Machine Config Operator"},
	{"medik8s.io/remediation", "Medik8s"},
	{"kubevirt.io/drain", "KubeVirt"},
	{"amd-gpu-unhealthy", "ROCm gpu-operator, auto remediation"},
	{"nvidia.com/gpu-xid-error", "NVSentinel"},
	{"nvidia.com/gpu-nvlink-error", "NVSentinel"},
	{"nvidia.com/syslog-xid-error", "NVSentinel"},
	{"nvidia.com/gpu-error", "NVSentinel"},
	{"gpu.health/", "NVSentinel"},
	{"nvlink.health/", "NVSentinel"},
}

// hardwareValues are the values with which a taint whose key is an accelerator's name
// marks the hardware and nothing else. Any other value, such as a team's name, is
// somebody's decision. Source: kubernetes/kubernetes#55080 (the convention leaves the
// value open), GKE (present), NVIDIA's and AWS' own examples (true).
var hardwareValues = []string{"", "present", "true"}

// Approval opens what a taint closes and no hardware explains: a tenant's pool, spot
// capacity, another architecture.
type Approval struct {
	Key string
	// Value is compared unless AnyValue is set, which is for values that rotate, such as
	// the id of a reservation.
	Value    string
	AnyValue bool
	Effect   corev1.TaintEffect
}

// opens nothing when key or effect are missing: a toleration without them would open all.
func (a Approval) opens(taint corev1.Taint) bool {
	return a.Key != "" && a.Effect != "" && a.Key == taint.Key && a.Effect == taint.Effect && (a.AnyValue || a.Value == taint.Value)
}

// toleration of what the approval opens: of its value alone, where that is fixed.
func (a Approval) toleration() corev1.Toleration {
	if a.AnyValue {
		return corev1.Toleration{Key: a.Key, Operator: corev1.TolerationOpExists, Effect: a.Effect}
	}
	return corev1.Toleration{Key: a.Key, Operator: corev1.TolerationOpEqual, Value: a.Value, Effect: a.Effect}
}

// Judgement is what a taint means for pods that ask for a node's accelerators.
type Judgement string

// Judgements, in the order in which they are tried.
const (
	// Passing: the node is broken, starting, draining or about to go. Never tolerated.
	Passing Judgement = "Passing"
	// Preferred: PreferNoSchedule, which keeps no pod out.
	Preferred Judgement = "Preferred"
	// Hardware: the taint says what the resource says, and nothing else.
	Hardware Judgement = "Hardware"
	// Approved: a person has opened it.
	Approved Judgement = "Approved"
	// Blocking: a person decides, and none has.
	Blocking Judgement = "Blocking"
)

// judge says what a taint of a node means for pods that ask for its accelerators, and
// with which toleration they pass it: nil unless it is Hardware or Approved.
func judge(taint corev1.Taint, node Node, rules Rules) (Judgement, *corev1.Toleration) {
	if isPassing(taint, rules.StartupTaints) {
		return Passing, nil
	}
	if taint.Effect == corev1.TaintEffectPreferNoSchedule {
		return Preferred, nil
	}
	if marksHardware(taint, node) {
		return Hardware, &corev1.Toleration{Key: taint.Key, Operator: corev1.TolerationOpExists, Effect: taint.Effect}
	}
	for _, approval := range rules.Approvals {
		if approval.opens(taint) {
			toleration := approval.toleration()
			return Approved, &toleration
		}
	}
	return Blocking, nil
}

func isPassing(taint corev1.Taint, startup []corev1.Taint) bool {
	known := slices.ContainsFunc(passing, func(p struct{ key, source string }) bool {
		return taint.Key == p.key || strings.HasSuffix(p.key, "/") && strings.HasPrefix(taint.Key, p.key)
	})
	return known || slices.ContainsFunc(startup, func(s corev1.Taint) bool { return s.Key == taint.Key && s.Effect == taint.Effect })
}

// marksHardware tells whether a taint's whole key is an accelerator that the node offers
// or the one of which it offers shares, its effect NoSchedule and its value no decision
// of anybody's. The key of another vendor's hardware is none: somebody has put it there.
func marksHardware(taint corev1.Taint, node Node) bool {
	if taint.Effect != corev1.TaintEffectNoSchedule || !slices.Contains(hardwareValues, taint.Value) {
		return false
	}
	for name, amount := range node.Allocatable {
		if amount > 0 && IsAccelerator(name) && (taint.Key == name || taint.Key == BaseName(name)) {
			return true
		}
	}
	return false
}
