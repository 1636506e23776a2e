package e2e

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

const (
	deviceDriver = "gpu.example.com"
	deviceClass  = "gpu.example.com"
)

// deviceTaintRule is for the device that the scheduler does not allocate first.
const deviceTaintRule = `
apiVersion: resource.k8s.io/v1beta2
kind: DeviceTaintRule
metadata: {name: broken}
spec:
  deviceSelector: {driver: gpu.example.com, device: gpu-1}
  taint: {key: example.com/broken, effect: NoSchedule}
`

// provide creates an object that goes with the spec.
func provide(ctx context.Context, c *framework.Cluster, object client.Object) {
	GinkgoHelper()
	Expect(c.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(c.Delete(ctx, object, client.GracePeriodSeconds(0)))).To(Succeed())
	})
}

// deviceSlice is what a driver says of a node with two devices that work and one that does not.
func deviceSlice(node string) *resourcev1.ResourceSlice {
	device := func(name string, taints ...resourcev1.DeviceTaint) resourcev1.Device {
		return resourcev1.Device{Name: name, Taints: taints, Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{"productName": {StringValue: ptr.To("Imagined-1")}}}
	}
	slice := &resourcev1.ResourceSlice{Spec: resourcev1.ResourceSliceSpec{
		Driver: deviceDriver, NodeName: &node, Pool: resourcev1.ResourcePool{Name: node, Generation: 1, ResourceSliceCount: 1},
		Devices: []resourcev1.Device{device("gpu-0"), device("gpu-1"), device("gpu-2", resourcev1.DeviceTaint{Key: deviceDriver + "/xid", Effect: resourcev1.DeviceTaintEffectNoSchedule})},
	}}
	slice.Name = node + "-" + deviceDriver
	return slice
}

// nodeWithDevices adds a node of a cluster that has no others with devices.
func nodeWithDevices(ctx context.Context, c *framework.Cluster, taints ...corev1.Taint) *corev1.Node {
	GinkgoHelper()
	node := addNode(ctx, c, "devices", func(node *corev1.Node) { node.Spec.Taints = taints })
	class := &resourcev1.DeviceClass{Spec: resourcev1.DeviceClassSpec{Selectors: []resourcev1.DeviceSelector{
		{CEL: &resourcev1.CELDeviceSelector{Expression: `device.driver == "` + deviceDriver + `"`}},
	}}}
	class.Name = deviceClass
	provide(ctx, c, class)
	provide(ctx, c, deviceSlice(node.Name))
	return node
}

// claimant is a pod that has the scheduler allocate a device to it.
func claimant(ctx context.Context, c *framework.Cluster, name string) *corev1.Pod {
	GinkgoHelper()
	claim := &resourcev1.ResourceClaim{Spec: resourcev1.ResourceClaimSpec{Devices: resourcev1.DeviceClaim{Requests: []resourcev1.DeviceRequest{
		{Name: "gpu", Exactly: &resourcev1.ExactDeviceRequest{DeviceClassName: deviceClass}},
	}}}}
	claim.Namespace, claim.Name = corev1.NamespaceDefault, name
	provide(ctx, c, claim)
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		Containers:     []corev1.Container{{Name: "main", Image: "registry.k8s.io/pause:3.10", Resources: corev1.ResourceRequirements{Claims: []corev1.ResourceClaim{{Name: "gpu"}}}}},
		ResourceClaims: []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimName: &name}},
	}}
	pod.Namespace, pod.Name = corev1.NamespaceDefault, name
	provide(ctx, c, pod)
	return pod
}

var _ = Describe("Devices of a member that are claimed", localOnly, Serial, func() {
	It("are counted for each DeviceClass, and what the scheduler allocates is not free", func(ctx SpecContext) {
		member := members[0]
		node := nodeWithDevices(ctx, member)
		resource := clusterv1alpha1.DeviceClassPrefix + deviceClass
		Eventually(ctx, pools(ctx, member, resource, "Imagined-1")).Should(ConsistOf(And(
			HaveKeyWithValue("nodes", BeEquivalentTo(1)), HaveKeyWithValue("allocatable", "2"))), "the one that is broken does not count")

		pod := claimant(ctx, member, "claimant")
		Eventually(ctx, func(g Gomega) {
			g.Expect(member.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
			g.Expect(pod.Spec.NodeName).To(Equal(node.Name), "the scheduler finds the device")
		}).Should(Succeed())
		follow(ctx, member, time.Now().Add(time.Hour))
		expectDevices := func(requested, free string) {
			GinkgoHelper()
			Eventually(ctx, pools(ctx, member, resource, "Imagined-1")).Should(ConsistOf(And(HaveKeyWithValue("requested", requested), HaveKeyWithValue("free", free))))
		}
		expectDevices("1", "1")
		Expect(row(fedctl(ctx, "top", "accelerators", member.Name), member.Name, resource, "Imagined-1", "1", "1", "2", "1", "1", "1")).NotTo(BeNil())

		By("a DeviceTaintRule for one of them, and one that taints nothing")
		rule := manifest(ctx, member, deviceTaintRule)
		manifest(ctx, member, "%s", strings.NewReplacer("name: broken", "name: noted", "NoSchedule", "None").Replace(deviceTaintRule))
		Eventually(ctx, pools(ctx, member, resource, "Imagined-1")).Should(ConsistOf(And(HaveKeyWithValue("allocatable", "1"), HaveKeyWithValue("free", "0"))))
		Expect(member.Delete(ctx, rule)).To(Succeed())
		expectDevices("1", "1")

		By("a claim that is released")
		Expect(member.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		expectDevices("0", "2")
		follow(ctx, member, time.Now())
	}, SpecTimeout(8*time.Minute))

	It("are said not to be known where they may not be read, and what was known stays", func(ctx SpecContext) {
		member := members[1]
		nodeWithDevices(ctx, member)
		there := pools(ctx, member, clusterv1alpha1.DeviceClassPrefix+deviceClass, "Imagined-1")
		Eventually(ctx, there).Should(HaveLen(1))
		allow := withoutRight(ctx, member, resourcev1.GroupName, "resourceslices", "resourceclaims")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		devicesKnown := func(g Gomega) fields {
			u, err := read(ctx, host, capacityOf(member))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, clusterv1alpha1.ConditionKnown)).To(HaveKeyWithValue("status", "True"))
			return conditionOf(u, clusterv1alpha1.ConditionDevicesKnown)
		}
		Eventually(ctx, devicesKnown).Should(And(HaveKeyWithValue("reason", clusterv1alpha1.ReasonDevicesStale), HaveKeyWithValue("message", ContainSubstring("forbidden"))))
		DeferCleanup(func(ctx SpecContext) { follow(ctx, member, time.Now()) })
		follow(ctx, member, time.Now().Add(time.Hour))
		expectFollowed(ctx, member, clusterv1alpha1.ReasonFollowed)
		Expect(there(Default)).To(ConsistOf(And(HaveKeyWithValue("allocatable", "2"), Not(HaveKey("free")))), "by a controller that has never read them")
		follow(ctx, member, time.Now())
		allow()
		Eventually(ctx, devicesKnown).Should(HaveKeyWithValue("status", "True"))
		Expect(there(Default)).To(HaveLen(1))
	}, SpecTimeout(8*time.Minute))
})
