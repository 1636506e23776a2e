package accelerator

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
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

// driverKey is the key with which nodes are tainted whose hardware a driver of Dynamic
// Resource Allocation offers as devices: their resources have no names to go by.
type driverKey struct{ driver, key, source string }

var driverKeys = []driverKey{
	{"gpu.nvidia.com", "nvidia.com/gpu", "NVIDIA k8s-dra-driver-gpu: its kubelet plugin tolerates it"},
	{"gpu.amd.com", "amd.com/gpu", "ROCm k8s-gpu-dra-driver: one of it and the device plugin runs on a node"},
	{"tpu.google.com", "google.com/tpu", "GKE TPU: all nodes of the product are tainted so"},
}

// meaning says what a taint that stays means for pods that ask for a node's accelerators.
func meaning(taint corev1.Taint, node *Node) v1alpha1.TaintMeaning {
	switch {
	case taint.Effect == corev1.TaintEffectPreferNoSchedule:
		return v1alpha1.TaintPreferred
	case marksHardware(taint, node):
		return v1alpha1.TaintHardware
	}
	return v1alpha1.TaintRestricted
}

// Passes says whether a taint of this key means, in any cluster, that the node is broken,
// starting, draining or about to go.
func Passes(key string) bool {
	return slices.ContainsFunc(passing, func(p struct{ key, source string }) bool {
		return key == p.key || strings.HasSuffix(p.key, "/") && strings.HasPrefix(key, p.key)
	})
}

// isPassing says whether a taint means that the node is broken, starting, draining or
// about to go. What passes is never tolerated, whoever approves it.
func isPassing(taint corev1.Taint, startup []v1alpha1.StartupTaint) bool {
	return Passes(taint.Key) || slices.ContainsFunc(startup, func(s v1alpha1.StartupTaint) bool { return s.Key == taint.Key && s.Effect == taint.Effect })
}

// marksHardware tells whether a taint's whole key is an accelerator that the node offers,
// or should, or the one of which it offers shares, its effect NoSchedule and its value no decision
// of anybody's. The key of another vendor's hardware is none: somebody has put it there.
func marksHardware(taint corev1.Taint, node *Node) bool {
	if taint.Effect != corev1.TaintEffectNoSchedule || !slices.Contains(hardwareValues, taint.Value) {
		return false
	}
	marks := func(name string) bool { return taint.Key == name || taint.Key == BaseName(name) }
	for name, amount := range node.Allocatable {
		if amount > 0 && IsAccelerator(name) && marks(name) {
			return true
		}
	}
	return node.Missing != "" && marks(node.Missing) || slices.ContainsFunc(driverKeys, func(d driverKey) bool {
		return d.key == taint.Key && slices.Contains(node.Drivers, d.driver)
	})
}
