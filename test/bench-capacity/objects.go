package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const podsNamespace = "default"

func nodeName(i int) string { return fmt.Sprintf("gke-cluster-gpu-pool-%d-5f7c9d%05d", i%20, i) }

// makeNode makes a node as a provider does: of one of twenty groups, with labels, taints and the
// images that it has, of which most is for nobody who shares out pods.
func (b *bench) makeNode(ctx context.Context, i int) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(i), Labels: map[string]string{
		"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": nodeName(i), "node.kubernetes.io/instance-type": "a3-highgpu-8g",
		"topology.kubernetes.io/region": "europe-west4", "topology.kubernetes.io/zone": fmt.Sprintf("europe-west4-%c", 'a'+i%3), "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
	}}}
	node.Spec.Taints = []corev1.Taint{
		{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule},
		{Key: "team", Value: fmt.Sprint("team-", i%10), Effect: corev1.TaintEffectNoSchedule},
	}
	node, err := b.member.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	node.Status.Capacity = corev1.ResourceList{
		"cpu": resource.MustParse("208"), "memory": resource.MustParse("1872Gi"), "pods": resource.MustParse("110"), "nvidia.com/gpu": resource.MustParse("8"), "ephemeral-storage": resource.MustParse("6Ti"),
	}
	node.Status.Allocatable = node.Status.Capacity
	now := metav1.Now()
	for _, name := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure, corev1.NodeReady} {
		status := corev1.ConditionFalse
		if name == corev1.NodeReady {
			status = corev1.ConditionTrue
		}
		node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{Type: name, Status: status, LastTransitionTime: now, LastHeartbeatTime: now, Reason: "KubeletReady"})
	}
	for image := range 20 {
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{Names: []string{fmt.Sprintf("registry.example.com/image-%d@sha256:%064d", image, i)}, SizeBytes: 1 << 28})
	}
	_, err = b.member.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
	return err
}

// makePod makes a pod on one of the nodes, of one of two thousand workloads.
func (b *bench) makePod(ctx context.Context, i int) error {
	no := false
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("some-workload-%d-7d9f8b6c5-%05d", i%2000, i), Labels: map[string]string{"app": fmt.Sprint("some-workload-", i%2000)}}}
	pod.Spec.NodeName, pod.Spec.AutomountServiceAccountToken = nodeName(i%b.nodes), &no
	for c := range 3 {
		container := corev1.Container{Name: fmt.Sprint("container-", c), Image: "registry.example.com/some/image:v1", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			"cpu": resource.MustParse(fmt.Sprintf("%dm", 100+i%40)), "memory": resource.MustParse(fmt.Sprintf("%dMi", 64+i%100)),
		}}}
		for e := range 5 {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprint("VARIABLE_", e), Value: pod.Name})
		}
		pod.Spec.Containers = append(pod.Spec.Containers, container)
	}
	_, err := b.member.CoreV1().Pods(podsNamespace).Create(ctx, pod, metav1.CreateOptions{})
	return err
}
