package accelerator

import (
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// vendors are the domains whose extended resources all compute.
var vendors = []string{
	"nvidia.com", "gpu.intel.com", "habana.ai", "aws.amazon.com", "huawei.com", "cambricon.com", "mthreads.com",
	"hygon.com", "iluvatar.ai", "metax-tech.com", "furiosa.ai", "rebellions.ai", "tenstorrent.com", "graphcore.ai",
}

// words are what a resource of another domain is called that computes, such as
// google.com/tpu or volcano.sh/vgpu-number.
var words = []string{"gpu", "tpu", "npu", "xpu", "neuron", "gaudi", "accelerator", "fpga"}

// IsAccelerator tells whether a resource name such as nvidia.com/gpu is an
// extended resource that computes. Other extended resources (network devices,
// /dev/fuse) are not, nor is anything in a kubernetes.io domain.
func IsAccelerator(resourceName string) bool {
	domain, name, _ := strings.Cut(resourceName, "/")
	if !isExtended(resourceName) {
		return false
	}
	if slices.Contains(vendors, domain) {
		return true
	}
	name = strings.ToLower(name)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(name, word) })
}

// isExtended tells whether a resource is one that a device plugin or an administrator has
// made, and not one of Kubernetes' own.
func isExtended(resourceName string) bool {
	domain, _, found := strings.Cut(resourceName, "/")
	return found && domain != "kubernetes.io" && !strings.HasSuffix(domain, ".kubernetes.io") && !strings.HasPrefix(domain, "requests.")
}

// IsCounted tells whether pools are made of a resource: cpu, memory, the number of pods,
// and every extended resource.
func IsCounted(resourceName string) bool {
	switch corev1.ResourceName(resourceName) {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourcePods:
		return true
	}
	return isExtended(resourceName) || IsDevice(resourceName)
}

// Amount is a quantity as a number: of cpu in thousandths of a core, of memory in bytes, of
// all else in pieces. It is never negative.
func Amount(resourceName string, quantity resource.Quantity) int64 {
	amount := quantity.Value()
	if resourceName == string(corev1.ResourceCPU) && amount < math.MaxInt64/1000 {
		amount = quantity.MilliValue()
	}
	return min(max(amount, 0), mostAmount)
}

// mostAmount, 64 TiB, is more than a node has of anything; sums of it do not overflow.
const mostAmount = 1 << 46

// Quantity is an amount as people write it.
func Quantity(resourceName string, amount int64) resource.Quantity {
	switch corev1.ResourceName(resourceName) {
	case corev1.ResourceCPU:
		return *resource.NewMilliQuantity(amount, resource.DecimalSI)
	case corev1.ResourceMemory:
		return *resource.NewQuantity(amount, resource.BinarySI)
	}
	return *resource.NewQuantity(amount, resource.DecimalSI)
}

// BaseName is the resource whose hardware a resource is a share of: nvidia.com/gpu of
// nvidia.com/gpu.shared (time slices that are renamed, MPS) and of nvidia.com/mig-1g.10gb.
// Nodes are tainted by it, whichever of the two they offer. Of any other resource it is
// the name itself. Source: NVIDIA k8s-device-plugin, "Shared Access to GPUs", and the GPU
// Operator's MIG page.
func BaseName(resourceName string) string {
	domain, name, _ := strings.Cut(resourceName, "/")
	switch {
	case strings.HasSuffix(name, ".shared"):
		return BaseName(strings.TrimSuffix(resourceName, ".shared"))
	case domain == "nvidia.com" && strings.HasPrefix(name, "mig-"):
		return "nvidia.com/gpu"
	}
	return resourceName
}

// productLabels name a node's product, for each vendor the most exact first: what a
// device plugin or its feature discovery writes says more (a MIG or SHARED suffix) than
// what a provider writes. accelerator=nvidia of AKS is left out: it names no product.
// resource is what a node of it offers if nothing else is known; empty where products of
// several vendors have the label.
var productLabels = []struct{ label, resource, source string }{
	{"nvidia.com/gpu.product", "nvidia.com/gpu", "NVIDIA gpu-feature-discovery"},
	{"amd.com/gpu.product-name", "amd.com/gpu", "ROCm gpu-operator"},
	{"beta.amd.com/gpu.product-name", "amd.com/gpu", "ROCm node labeller"},
	{"gpu.nvidia.com/model", "nvidia.com/gpu", "CoreWeave CKS"},
	{"gpu.nvidia.com/class", "nvidia.com/gpu", "CoreWeave CKS"},
	{"cloud.google.com/gke-accelerator", "nvidia.com/gpu", "GKE"},
	{"cloud.google.com/gke-tpu-accelerator", "google.com/tpu", "GKE TPU"},
	{"eks.amazonaws.com/instance-gpu-name", "", "EKS Auto Mode"},
	{"karpenter.k8s.aws/instance-gpu-name", "", "Karpenter for AWS"},
	{"karpenter.k8s.aws/instance-accelerator-name", "", "Karpenter for AWS"},
	{"karpenter.azure.com/sku-gpu-name", "", "AKS node auto-provisioning"},
	{"aliyun.accelerator/nvidia_name", "nvidia.com/gpu", "Alibaba ACK"},
}

// Product is the label that names a node's product, and its value. Both are empty when
// no label that is known does.
func Product(labels map[string]string) (label, value string) {
	for _, known := range productLabels {
		if value := labels[known.label]; value != "" {
			return known.label, value
		}
	}
	return "", ""
}

// usualOf is what nodes offer whose product a label names.
func usualOf(productLabel string) string {
	for _, known := range productLabels {
		if known.label == productLabel {
			return known.resource
		}
	}
	return ""
}

// IsDevice tells whether a resource is the devices of a DeviceClass.
func IsDevice(resourceName string) bool {
	return strings.HasPrefix(resourceName, v1alpha1.DeviceClassPrefix)
}
