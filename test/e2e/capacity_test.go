package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
		role := &rbacv1.ClusterRoleList{}
		Expect(member.List(ctx, role)).To(Succeed())
		i := slices.IndexFunc(role.Items, func(r rbacv1.ClusterRole) bool {
			return r.Name == "kubefed-controller-manager:"+member.Name+"-"+host.Name
		})
		Expect(i).To(BeNumerically(">=", 0))
		granted := role.Items[i].DeepCopy()
		DeferCleanup(func(ctx SpecContext) {
			Expect(member.Get(ctx, client.ObjectKeyFromObject(granted), &role.Items[i])).To(Succeed())
			role.Items[i].Rules = granted.Rules
			Expect(member.Update(ctx, &role.Items[i])).To(Succeed())
			follow(ctx, member, time.Now())
		})
		role.Items[i].Rules = slices.DeleteFunc(role.Items[i].Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "pods") })
		Expect(role.Items[i].Rules).To(HaveLen(len(granted.Rules) - 1))
		Expect(member.Update(ctx, &role.Items[i])).To(Succeed())

		follow(ctx, member, time.Now().Add(time.Hour))
		expectFollowed(ctx, member, clusterv1alpha1.ReasonPodsUnreadable)
		u := found(ctx, host, capacityOf(member))
		Expect(conditionOf(u, clusterv1alpha1.ConditionRequestsKnown)).To(HaveKeyWithValue("message", And(ContainSubstring("pods cannot be read"), ContainSubstring("forbidden"))))
		Expect(conditionOf(u, clusterv1alpha1.ConditionKnown)).To(HaveKeyWithValue("status", "True"))
		Expect(at(u.Object, "/status/pools")).NotTo(BeEmpty())
	}, SpecTimeout(5*time.Minute))
})
