package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// capacityOf is what the host says of a member's nodes.
func capacityOf(c *framework.Cluster) ref {
	return ref{GroupVersionKind: clusterv1alpha1.GroupVersion.WithKind("ClusterCapacity"), Namespace: framework.KubeFedNamespace, Name: c.Name}
}

// pools are the pools of a resource and a product in a cluster.
func pools(ctx context.Context, c *framework.Cluster, resource, product string) func(g Gomega) list {
	return func(g Gomega) list {
		u, err := read(ctx, host, capacityOf(c))
		g.Expect(err).NotTo(HaveOccurred())
		all, _ := at(u.Object, "/status/pools").(list)
		return slices.DeleteFunc(all, func(p any) bool { return at(p, "/resource") != resource || at(p, "/product") != product })
	}
}

// expectFollowed waits for what a ClusterCapacity says of pods' requests.
func expectFollowed(ctx context.Context, c *framework.Cluster, reason string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, capacityOf(c))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(conditionOf(u, clusterv1alpha1.ConditionRequestsKnown)).To(HaveKeyWithValue("reason", reason))
	}).Should(Succeed())
}

// follow has what the pods of a cluster ask for followed for so long.
func follow(ctx context.Context, c *framework.Cluster, until time.Time) {
	GinkgoHelper()
	Eventually(ctx, func() error { _, err := read(ctx, host, capacityOf(c)); return err }).Should(Succeed())
	tamper(ctx, host, capacityOf(c), func(u *unstructured.Unstructured) {
		set(u.Object, "/spec", fields{"followRequestsUntil": until.UTC().Format(time.RFC3339)})
	})
}

// consumer is a pod that asks for GPUs on a node.
func consumer(ctx context.Context, c *framework.Cluster, namespace, name, node, gpus string) *corev1.Pod {
	GinkgoHelper()
	pod := &corev1.Pod{Spec: corev1.PodSpec{
		NodeName: node, Containers: []corev1.Container{{Name: "main", Image: "registry.k8s.io/pause:3.10"}},
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
	}}
	pod.Namespace, pod.Name = namespace, name
	pod.Spec.Containers[0].Resources.Limits = amounts("nvidia.com/gpu", gpus, "cpu", "1500m")
	Expect(c.Create(ctx, pod)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(c.Delete(ctx, pod, client.GracePeriodSeconds(0)))).To(Succeed())
	})
	return pod
}

var _ = Describe("What members' nodes offer", localOnly, Serial, func() {
	It("is told with what is free, while somebody wants to know it", func(ctx SpecContext) {
		member := members[0]
		follow(ctx, member, time.Now())
		expectFollowed(ctx, member, clusterv1alpha1.ReasonNotFollowed)
		node := gpuNode(ctx, member, "counted-1", "H200", "nvidia.com/gpu", hard("nvidia.com/gpu", "present"))
		gpuNode(ctx, member, "counted-2", "H200", "nvidia.com/gpu", hard("nvidia.com/gpu", "present"))
		gpuNode(ctx, member, "renamed", "H200", "nvidia.com/gpu.shared", hard("nvidia.com/gpu", "present"))
		Eventually(ctx, pools(ctx, member, "nvidia.com/gpu", "H200")).Should(ConsistOf(And(
			HaveKeyWithValue("nodes", BeEquivalentTo(2)), HaveKeyWithValue("allocatable", "16"), Not(HaveKey("requested")), Not(HaveKey("free")))))
		Eventually(ctx, pools(ctx, member, "cpu", "H200")).Should(ConsistOf(HaveKeyWithValue("allocatable", "96")))

		By("asking, as the command does")
		consumer(ctx, member, "default", "first", node.Name, "3")
		output := fedctl(ctx, "top", "accelerators", member.Name)
		Expect(row(output, member.Name, "nvidia.com/gpu", "H200")).To(ContainElements("16", "3", "13", "8"))
		Expect(row(output, member.Name, "nvidia.com/gpu.shared", "H200")).To(ContainElements("8", "0", "8"))
		var top struct{ Items []fields }
		Expect(json.Unmarshal([]byte(fedctl(ctx, "top", "clusters", member.Name, "-o", "json")), &top)).To(Succeed())
		Expect(at(top.Items[0], "/resources/nvidia.com~1gpu")).To(Equal(fields{"allocatable": "16", "requested": "3", "free": "13"}))
		Expect(at(top.Items[0], "/resources/cpu/requested")).NotTo(BeNil())

		By("pods that come and end")
		second := consumer(ctx, member, "default", "second", node.Name, "5")
		expectPool := func(requested, free, largest string) {
			GinkgoHelper()
			Eventually(ctx, pools(ctx, member, "nvidia.com/gpu", "H200")).Should(ConsistOf(And(
				HaveKeyWithValue("requested", requested), HaveKeyWithValue("free", free), HaveKeyWithValue("largestFree", largest))))
		}
		expectPool("8", "8", "8")
		Eventually(ctx, pools(ctx, member, "cpu", "H200")).Should(ConsistOf(And(HaveKeyWithValue("requested", "3"), HaveKeyWithValue("largestFree", "32"))))
		Expect(member.Delete(ctx, second, client.GracePeriodSeconds(0))).To(Succeed())
		expectPool("3", "13", "8")

		By("a node that is cordoned has nothing free")
		Eventually(ctx, func(g Gomega) {
			g.Expect(member.Get(ctx, client.ObjectKeyFromObject(node), node)).To(Succeed())
			node.Spec.Unschedulable = true
			g.Expect(member.Update(ctx, node)).To(Succeed())
		}).Should(Succeed())
		expectPool("0", "8", "8")

		By("nobody who wants to know it any more")
		follow(ctx, member, time.Now())
		expectFollowed(ctx, member, clusterv1alpha1.ReasonNotFollowed)
		Expect(pools(ctx, member, "nvidia.com/gpu", "H200")(Default)).To(ConsistOf(Not(HaveKey("free"))))
	}, SpecTimeout(8*time.Minute))

	It("costs few writes, however much happens, and what happens all the time does not put it off", func(ctx SpecContext) {
		member := members[1]
		node := gpuNode(ctx, member, "busy", "L40", "nvidia.com/gpu")
		follow(ctx, member, time.Now().Add(time.Hour))
		expectFollowed(ctx, member, clusterv1alpha1.ReasonFollowed)
		written := func() int { return requests(ctx, host)["PATCH clustercapacities.cluster.fedctl.io/status"] }
		before, since := written(), time.Now()
		Eventually(ctx, func(g Gomega) {
			g.Expect(member.Get(ctx, client.ObjectKeyFromObject(node), node)).To(Succeed())
			node.Spec.Unschedulable = !node.Spec.Unschedulable
			g.Expect(member.Update(ctx, node)).To(Succeed())
			g.Expect(written()).To(BeNumerically(">=", before+3))
		}).WithPolling(200 * time.Millisecond).Should(Succeed()) // more often than news are waited for
		most := (1 + int(time.Since(since)/(5*time.Second))) * len(members)
		Expect(written()-before).To(BeNumerically("<=", most), "one for each cluster in five seconds")
		Eventually(ctx, func(g Gomega) {
			g.Expect(member.Get(ctx, client.ObjectKeyFromObject(node), node)).To(Succeed())
			node.Spec.Unschedulable = false
			g.Expect(member.Update(ctx, node)).To(Succeed())
		}).Should(Succeed())
		Eventually(ctx, pools(ctx, member, "nvidia.com/gpu", "L40")).Should(ConsistOf(HaveKeyWithValue("free", "8")))
		follow(ctx, member, time.Now())
	}, SpecTimeout(8*time.Minute))

	It("says why what is free is not known where a member does not let its pods be read", func(ctx SpecContext) {
		member := members[2]
		// Commands of other specs ask for all members, and what is asked for is followed on.
		follow(ctx, member, time.Now())
		expectFollowed(ctx, member, clusterv1alpha1.ReasonNotFollowed)
		withoutRight(ctx, member, "", "pods")
		DeferCleanup(func(ctx SpecContext) { follow(ctx, member, time.Now()) })
		follow(ctx, member, time.Now().Add(time.Hour))
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, capacityOf(member))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, clusterv1alpha1.ConditionRequestsKnown)).To(And(HaveKeyWithValue("reason", clusterv1alpha1.ReasonPodsUnreadable),
				HaveKeyWithValue("message", And(ContainSubstring("pods cannot be read"), ContainSubstring("forbidden")))))
			g.Expect(conditionOf(u, clusterv1alpha1.ConditionKnown)).To(HaveKeyWithValue("status", "True"))
			g.Expect(at(u.Object, "/status/pools")).NotTo(BeEmpty())
			r, _ := examine(ctx, g)
			g.Expect(r.Findings).To(ContainElement(finds("pods-unreadable", member.Name)))
		}).Should(Succeed())
	}, SpecTimeout(5*time.Minute))

	It("tells nodes that are starting from those without their device plugin, and what may keep it out", func(ctx SpecContext) {
		member := members[0]
		gpuNode(ctx, member, "running", "B200", "nvidia.com/gpu", hard("nvidia.com/gpu", "present"))
		bare := func(name string, readyFor time.Duration) *corev1.Node {
			return addNode(ctx, member, name, func(node *corev1.Node) {
				node.Labels["nvidia.com/gpu.product"] = "B200"
				node.Spec.Taints = []corev1.Taint{hard("nvidia.com/gpu", "present"), hard("team", "a")}
				node.Status.Conditions[0].LastTransitionTime = metav1.NewTime(time.Now().Add(-readyFor))
			})
		}
		late := bare("late", time.Hour)
		bare("new", 0)
		Eventually(ctx, pools(ctx, member, "nvidia.com/gpu", "B200")).Should(ConsistOf(
			And(HaveKeyWithValue("nodes", BeEquivalentTo(1)), HaveKeyWithValue("allocatable", "8")),
			And(HaveKeyWithValue("nodes", BeEquivalentTo(2)), Not(HaveKey("availableNodes")), HaveKeyWithValue("allocatable", "0"),
				HaveKeyWithValue("startingNodes", BeEquivalentTo(1)), HaveKeyWithValue("nodesWithoutPlugin", BeEquivalentTo(1)))))
		Expect(conditionOf(found(ctx, host, capacityOf(member)), clusterv1alpha1.ConditionPluginsRun)).To(And(
			HaveKeyWithValue("status", "False"), HaveKeyWithValue("reason", clusterv1alpha1.ReasonNoDevicePlugin),
			HaveKeyWithValue("message", And(ContainSubstring("nvidia.com/gpu B200 on late"), ContainSubstring("team=a:NoSchedule")))))
		Expect(row(fedctl(ctx, "top", "accelerators", member.Name, "--requests=false", "-o", "wide"), member.Name, "nvidia.com/gpu", "B200", "2", "0", "0")).NotTo(BeNil())

		By("the plugin that comes at last")
		Eventually(ctx, func(g Gomega) {
			g.Expect(member.Get(ctx, client.ObjectKeyFromObject(late), late)).To(Succeed())
			late.Status.Allocatable = amounts("cpu", "32", "memory", "64Gi", "pods", "110", "nvidia.com/gpu", "8")
			late.Status.Capacity = late.Status.Allocatable
			g.Expect(member.Status().Update(ctx, late)).To(Succeed())
		}).Should(Succeed())
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, capacityOf(member))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, clusterv1alpha1.ConditionPluginsRun)).To(HaveKeyWithValue("reason", clusterv1alpha1.ReasonRunning))
		}).Should(Succeed())
	}, SpecTimeout(5*time.Minute))

	It("is told apart from what there can be", func(ctx SpecContext) {
		member := members[1]
		cluster := ref{GroupVersionKind: fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"), Namespace: framework.KubeFedNamespace, Name: member.Name}
		scalable := func(text string) {
			GinkgoHelper()
			tamper(ctx, host, cluster, func(u *unstructured.Unstructured) {
				all := u.GetAnnotations()
				if all[clusterv1alpha1.ScalableAnnotation] = text; text == "" {
					delete(all, clusterv1alpha1.ScalableAnnotation)
				}
				u.SetAnnotations(all)
			})
		}
		DeferCleanup(func(ctx SpecContext) { scalable("") })
		gpuNode(ctx, member, "small", "L4", "nvidia.com/gpu")
		scalable("nvidia.com/gpu=64,amd.com/gpu=8")
		said := func(resource string) func(g Gomega) list {
			return func(g Gomega) list {
				u, err := read(ctx, host, capacityOf(member))
				g.Expect(err).NotTo(HaveOccurred())
				all, _ := at(u.Object, "/status/resources").(list)
				return slices.DeleteFunc(all, func(r any) bool { return at(r, "/resource") != resource })
			}
		}
		Eventually(ctx, said("nvidia.com/gpu")).Should(ConsistOf(And(HaveKeyWithValue("allocatable", "8"), HaveKeyWithValue("growth", "56"))))
		Eventually(ctx, said("amd.com/gpu")).Should(ConsistOf(And(HaveKeyWithValue("allocatable", "0"), HaveKeyWithValue("freeAfterGrowing", "8"))))
		Expect(row(fedctl(ctx, "top", "clusters", "-o", "wide"), member.Name)).To(ContainElement("amd.com/gpu=8,nvidia.com/gpu=56"))
		Eventually(ctx, said("nvidia.com/gpu")).Should(ConsistOf(And(HaveKeyWithValue("free", "8"), HaveKeyWithValue("freeAfterGrowing", "64"))))

		scalable("nvidia.com/gpu=lots")
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, capacityOf(member))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, clusterv1alpha1.ConditionScalable)).To(And(
				HaveKeyWithValue("reason", clusterv1alpha1.ReasonInvalidScalable), HaveKeyWithValue("message", ContainSubstring(`nvidia.com/gpu: "lots" is not an amount`))))
			g.Expect(at(u.Object, "/status/growth")).To(BeNil())
		}).Should(Succeed())
		scalable("")
		Eventually(ctx, func() fields {
			return conditionOf(found(ctx, host, capacityOf(member)), clusterv1alpha1.ConditionScalable)
		}).Should(BeEmpty())
		follow(ctx, member, time.Now())
	}, SpecTimeout(5*time.Minute))
})
