package capacity

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fleet"
)

const (
	manyNodes, manyPods, manySlices = 5_000, 100_000, 4_000
	// budget is what one member of that size may take.
	budget = 40 << 20
)

// largeNode and largePod are objects as API servers send them, with what nobody reads.
func largeNode(i int) *corev1.Node {
	n := node(func(*corev1.Node) {})
	n.Name = fmt.Sprintf("gke-cluster-gpu-pool-%d-5f7c9d%05d", i%20, i)
	n.Spec.Taints = []corev1.Taint{{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule}, {Key: "team", Value: fmt.Sprint("team-", i%10), Effect: corev1.TaintEffectNoSchedule}}
	n.Status.Allocatable["memory"], n.Status.Allocatable["pods"] = resource.MustParse("1Ti"), resource.MustParse("110")
	for image := range 20 {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{fmt.Sprintf("registry.example.com/image-%d@sha256:%064d", image, i)}})
	}
	return n
}

func largePod(i int) *corev1.Pod {
	p := &corev1.Pod{Spec: corev1.PodSpec{NodeName: fmt.Sprintf("gke-cluster-gpu-pool-%d-5f7c9d%05d", i%manyNodes%20, i%manyNodes)}}
	p.Namespace, p.Name = fmt.Sprintf("namespace-%d", i%300), fmt.Sprintf("some-workload-%d-7d9f8b6c5-%05d", i%2000, i)
	for c := range 3 {
		container := asking(map[corev1.ResourceName]string{"cpu": fmt.Sprintf("%dm", 100+i%40), "memory": fmt.Sprintf("%dMi", 64+i%100)})
		container.Name, container.Image = fmt.Sprint("container-", c), "registry.example.com/some/image:v1"
		for e := range 5 {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprint("VARIABLE_", e), Value: p.Name})
		}
		p.Spec.Containers = append(p.Spec.Containers, container)
	}
	return p
}

// largeSlice is what NVIDIA's driver says of a node with eight GPUs.
func largeSlice(i int) *resourcev1.ResourceSlice {
	random := rand.New(rand.NewPCG(1, uint64(i)))
	node := fmt.Sprintf("gke-cluster-gpu-pool-%d-5f7c9d%05d", i%20, i)
	slice := deviceSlice(node)
	slice.Name += fmt.Sprintf("-%05d", i)
	for g := range 8 {
		bus := fmt.Sprintf("0000:%02x:00.0", 16*g+i%16)
		device := resourcev1.Device{
			Name:     fmt.Sprint("gpu-", g),
			Capacity: map[resourcev1.QualifiedName]resourcev1.DeviceCapacity{"memory": {Value: resource.MustParse("81559Mi")}},
			Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{
				"minor": {IntValue: ptr.To(int64(g))}, "resource.kubernetes.io/pcieRoot": {StringValue: ptr.To(fmt.Sprintf("pci0000:%02x", 16*g))},
			},
		}
		for name, value := range map[resourcev1.QualifiedName]string{
			"type": "gpu", "productName": "NVIDIA H100 80GB HBM3", "brand": "Nvidia", "architecture": "Hopper", "addressingMode": "HMM", "resource.kubernetes.io/pciBusID": bus,
			"uuid": fmt.Sprintf("GPU-%08x-%04x-%04x-%04x-%012x", random.Uint32(), random.Uint32()>>16, random.Uint32()>>16, random.Uint32()>>16, random.Uint64()>>16),
		} {
			device.Attributes[name] = resourcev1.DeviceAttribute{StringValue: ptr.To(value)}
		}
		for name, value := range map[resourcev1.QualifiedName]string{"driverVersion": "580.95.5", "cudaDriverVersion": "13.0.0", "cudaComputeCapability": "9.0.0"} {
			device.Attributes[name] = resourcev1.DeviceAttribute{VersionValue: ptr.To(value)}
		}
		slice.Spec.Devices = append(slice.Spec.Devices, device)
	}
	return slice
}

// largeClaim is one for each of the devices.
func largeClaim(i int) *resourcev1.ResourceClaim {
	claim := &resourcev1.ResourceClaim{}
	claim.Namespace, claim.Name = fmt.Sprintf("namespace-%d", i%300), fmt.Sprintf("some-workload-%d-7d9f8b6c5-%05d-gpu", i%2000, i)
	claim.Status.Allocation = &resourcev1.AllocationResult{Devices: resourcev1.DeviceAllocationResult{Results: []resourcev1.DeviceRequestAllocationResult{
		{Driver: "gpu.nvidia.com", Pool: fmt.Sprintf("gke-cluster-gpu-pool-%d-5f7c9d%05d", i/8%20, i/8), Device: fmt.Sprint("gpu-", i%8)},
	}}}
	return claim
}

// sent is an object as it arrives: nothing of it is shared with another.
func sent[O interface {
	Marshal() ([]byte, error)
}, N interface{ Unmarshal(data []byte) error }](tb testing.TB, object O, into N) N {
	tb.Helper()
	data, err := object.Marshal()
	if err == nil {
		err = into.Unmarshal(data)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return into
}

func heap() uint64 {
	runtime.GC()
	runtime.GC() // what the first has found to be unreachable may hold more, such as shared texts
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestMemory: a member with 5,000 nodes, 100,000 pods, and on each of 4,000 nodes eight devices
// that are all claimed, stays within its budget.
func TestMemory(t *testing.T) {
	before := heap()
	nodes, q, d := newNodes(func() {}), newRequests(func() {}), newDrivers()
	nodesWatch, podsWatch, slicesWatch := fleet.NewWatch(t.Context(), nodes), fleet.NewWatch(t.Context(), q.pods), fleet.NewWatch(t.Context(), d.slices)
	for i := range manyNodes {
		if err := nodesWatch.Add(sent(t, largeNode(i), &corev1.Node{})); err != nil {
			t.Fatal(err)
		}
	}
	afterNodes := heap()
	for i := range manyPods {
		if err := podsWatch.Add(sent(t, largePod(i), &corev1.Pod{})); err != nil {
			t.Fatal(err)
		}
	}
	afterPods := heap()
	d.list(t, []any{deviceClass("gpu.nvidia.com", `device.driver == "gpu.nvidia.com" && device.attributes["gpu.nvidia.com"].type == "gpu"`)}, nil)
	for i := range manySlices {
		if err := slicesWatch.Add(sent(t, largeSlice(i), &resourcev1.ResourceSlice{})); err != nil {
			t.Fatal(err)
		}
	}
	d.judgeAll()
	q.claims = newClaims(func() {})
	claimsWatch := fleet.NewWatch(t.Context(), q.claims)
	for i := range 8 * manySlices {
		if err := claimsWatch.Add(sent(t, largeClaim(i), &resourcev1.ResourceClaim{})); err != nil {
			t.Fatal(err)
		}
	}
	after := heap()
	t.Logf("nodes: %.1f MiB, pods: %.1f MiB, devices: %.1f MiB", mib(afterNodes-before), mib(afterPods-afterNodes), mib(after-afterPods))
	if after-before > budget {
		t.Errorf("a member with %d nodes, %d pods and %d ResourceSlices takes %.1f MiB", nodes.Len(), q.pods.Len(), d.slices.Len(), mib(after-before))
	}
	if nodes.Len() != manyNodes || q.pods.Len() != manyPods {
		t.Errorf("there are %d nodes and %d pods", nodes.Len(), q.pods.Len())
	}
	if count := d.judged.Load().Count(nil); len(count.Offered) != manySlices || len(count.Problems) > 0 {
		t.Errorf("there are devices on %d nodes: %q", len(count.Offered), count.Problems)
	}
	runtime.KeepAlive(q)
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// BenchmarkStatus is what a look at a member of that size costs, at most once in five seconds.
func BenchmarkStatus(b *testing.B) {
	nodes, q := newNodes(func() {}), newRequests(func() {})
	nodesWatch, podsWatch := fleet.NewWatch(b.Context(), nodes), fleet.NewWatch(b.Context(), q.pods)
	for i := range manyNodes {
		_ = nodesWatch.Add(largeNode(i))
	}
	for i := range manyPods {
		_ = podsWatch.Add(largePod(i))
	}
	m := &followed{nodes: nodes}
	for b.Loop() {
		statusOf(seen{nodes: m.all(), requests: q.usage.nodes}, v1alpha1.ClusterCapacityStatus{}, time.Now())
	}
}

// BenchmarkPod is what a pod costs that comes or goes.
func BenchmarkPod(b *testing.B) {
	q := newRequests(func() {})
	watch := fleet.NewWatch(b.Context(), q.pods)
	p := largePod(1)
	for b.Loop() {
		_ = watch.Add(p)
		_ = watch.Delete(p)
	}
}
