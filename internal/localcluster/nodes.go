package localcluster

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// What GPU nodes offer and how they keep other pods away.
const (
	GPUResource     = "nvidia.com/gpu"
	GPUProductLabel = "nvidia.com/gpu.product"
	GPUProduct      = "NVIDIA-H100-80GB-HBM3"
	GPUTaintValue   = "present"
	gpusPerNode     = "8"
	// maxNodes keeps each node's pod addresses (third octet) apart, and from the
	// nodes' own, which have 255 there.
	maxNodes = 250
)

// regions are where the clusters pretend to be; the host is in the first.
var regions = []string{"eu-central", "eu-west", "us-east", "ap-south", "us-west", "ap-northeast", "sa-east", "af-south", "me-central", "ca-central"}

// region returns the region of the cluster with index i. No two clusters share one.
func region(i int) string {
	if i < len(regions) {
		return regions[i]
	}
	return fmt.Sprintf("%s-%d", regions[i%len(regions)], i/len(regions)+1)
}

// ensureNodes creates the cluster's nodes that do not exist.
func (c *Cluster) ensureNodes(ctx context.Context, client kubernetes.Interface) error {
	for _, node := range c.nodes() {
		_, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating node %s of cluster %s: %w", node.Name, c.Name, err)
		}
	}
	return nil
}

// nodes returns the cluster's nodes as they are created.
func (c *Cluster) nodes() []*corev1.Node {
	var nodes []*corev1.Node
	for i := range c.state.Nodes {
		nodes = append(nodes, c.node(fmt.Sprintf("%s-node-%d", c.Name, i+1), len(nodes), corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("16"),
			corev1.ResourceMemory: resource.MustParse("64Gi"),
		}))
	}
	for i := range c.state.GPUNodes {
		node := c.node(fmt.Sprintf("%s-gpu-%d", c.Name, i+1), len(nodes), corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("96"),
			corev1.ResourceMemory: resource.MustParse("1Ti"),
			GPUResource:           resource.MustParse(gpusPerNode),
		})
		maps.Copy(node.Labels, map[string]string{GPUProductLabel: GPUProduct, "nvidia.com/gpu.present": "true", "nvidia.com/gpu.count": gpusPerNode})
		node.Spec.Taints = []corev1.Taint{{Key: GPUResource, Value: GPUTaintValue, Effect: corev1.TaintEffectNoSchedule}}
		nodes = append(nodes, node)
	}
	return nodes
}

// node returns the cluster's node with index i, Ready from the start: the API
// server takes a new node's status as it is given.
func (c *Cluster) node(name string, i int, resources corev1.ResourceList) *corev1.Node {
	now := metav1.Now()
	network := fmt.Sprintf("10.%d.%d", c.state.Index+1, i)
	resources[corev1.ResourcePods] = resource.MustParse("110")
	resources[corev1.ResourceEphemeralStorage] = resource.MustParse("100Gi")
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				corev1.LabelHostname:           name,
				corev1.LabelOSStable:           "linux",
				corev1.LabelArchStable:         "amd64",
				corev1.LabelTopologyRegion:     c.Region,
				corev1.LabelTopologyZone:       c.Region + "-" + string(rune('a'+i%3)),
				corev1.LabelInstanceTypeStable: "kwok",
				"type":                         "kwok",
			},
			Annotations: map[string]string{"kwok.x-k8s.io/node": "fake"},
		},
		Spec: corev1.NodeSpec{PodCIDR: network + ".0/24", PodCIDRs: []string{network + ".0/24"}},
		Status: corev1.NodeStatus{
			Phase:       corev1.NodeRunning,
			Capacity:    resources,
			Allocatable: resources,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.%d.255.%d", c.state.Index+1, i+1)},
				{Type: corev1.NodeHostName, Address: name},
			},
			Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kwok plays this node's kubelet", LastHeartbeatTime: now, LastTransitionTime: now},
				{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory", LastHeartbeatTime: now, LastTransitionTime: now},
				{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure", LastHeartbeatTime: now, LastTransitionTime: now},
				{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID", LastHeartbeatTime: now, LastTransitionTime: now},
			},
			NodeInfo: corev1.NodeSystemInfo{
				Architecture: "amd64", OperatingSystem: "linux", OSImage: "kwok", KernelVersion: "kwok",
				KubeletVersion: c.fleet.state.Version, ContainerRuntimeVersion: "kwok://0",
			},
		},
	}
	if c.state.ExecPort != 0 {
		node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: loopback})
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(c.state.ExecPort) //nolint:gosec // a port
	}
	return node
}
