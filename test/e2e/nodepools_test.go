package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// nodePools has of Karpenter's definition what the API server needs to store any NodePool.
const nodePools = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: nodepools.karpenter.sh}
spec:
  group: karpenter.sh
  scope: Cluster
  names: {plural: nodepools, kind: NodePool}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

var nodePoolKind = schema.GroupVersionKind{Group: "karpenter.sh", Version: "v1", Kind: "NodePool"}

const gpuNodePool = `
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpus}
spec:
  limits: {nvidia.com/gpu: 64, cpu: "1000"}
  template:
    spec:
      taints: [{key: nvidia.com/gpu, effect: NoSchedule}]
      startupTaints: [{key: example.com/driver, effect: NoSchedule}]
`

// machineDeployments has of Cluster API's definition what the API server needs.
const machineDeployments = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: machinedeployments.cluster.x-k8s.io, annotations: {api-approved.kubernetes.io: "unapproved, for a test"}}
spec:
  group: cluster.x-k8s.io
  scope: Namespaced
  names: {plural: machinedeployments, kind: MachineDeployment}
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

var machineDeploymentKind = schema.GroupVersionKind{Group: "cluster.x-k8s.io", Version: "v1beta1", Kind: "MachineDeployment"}

const machineDeployment = `
apiVersion: cluster.x-k8s.io/v1beta1
kind: MachineDeployment
metadata:
  namespace: default
  name: %s
  annotations:
    cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size: "0"
    cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size: "4"
    capacity.cluster-autoscaler.kubernetes.io/cpu: "16"
    capacity.cluster-autoscaler.kubernetes.io/gpu-type: nvidia.com/gpu
    capacity.cluster-autoscaler.kubernetes.io/gpu-count: "8"
    capacity.cluster-autoscaler.kubernetes.io/labels: nvidia.com/gpu.product=H100
    capacity.cluster-autoscaler.kubernetes.io/taints: nvidia.com/gpu=present:NoSchedule
spec: {clusterName: %s, replicas: 1}
`

// withoutRight takes the rules for resources of a group from the controller's account in a
// member, until the function that it returns is called, or the spec is over. A watch that
// runs is not asked again.
func withoutRight(ctx context.Context, member *framework.Cluster, group string, resources ...string) (allow func()) {
	GinkgoHelper()
	role := &rbacv1.ClusterRole{}
	role.Name = "kubefed-controller-manager:" + member.Name + "-" + host.Name
	Expect(member.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
	granted := slices.Clone(role.Rules)
	set := func(ctx context.Context, rules []rbacv1.PolicyRule) {
		GinkgoHelper()
		Eventually(ctx, func(g Gomega) {
			g.Expect(member.Get(ctx, client.ObjectKeyFromObject(role), role)).To(Succeed())
			role.Rules = rules
			g.Expect(member.Update(ctx, role)).To(Succeed())
		}).Should(Succeed())
	}
	DeferCleanup(func(ctx SpecContext) { set(ctx, granted) })
	set(ctx, slices.DeleteFunc(slices.Clone(granted), func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.APIGroups, group) && slices.ContainsFunc(resources, func(resource string) bool { return slices.Contains(r.Resources, resource) })
	}))
	for _, resource := range resources { // an API server hears of its roles a moment later
		Eventually(ctx, mayInMember).WithArguments(member, authorizationv1.ResourceAttributes{Verb: "list", Group: group, Resource: resource}).Should(BeFalse())
	}
	return func() { set(ctx, granted) }
}

var _ = Describe("How far a member can grow", localOnly, Serial, func() {
	It("is what Karpenter's NodePools allow", func(ctx SpecContext) {
		member := members[1]
		// What is said is what the function shows of each resource of the NodePool.
		growth := func(g Gomega) map[string]any {
			u, err := read(ctx, host, capacityOf(member))
			g.Expect(err).NotTo(HaveOccurred())
			said := map[string]any{}
			rows, _ := at(u.Object, "/status/growth").(list)
			for _, row := range rows {
				g.Expect(row).To(And(HaveKeyWithValue("source", "NodePool"), HaveKeyWithValue("name", "gpus"),
					HaveKeyWithValue("taints", ConsistOf(fields{"key": "nvidia.com/gpu", "effect": "NoSchedule"}))))
				name, _ := at(row, "/resource").(string)
				if said[name] = at(row, "/more"); at(row, "/unlimited") == true {
					said[name] = "unlimited"
				}
			}
			return said
		}
		known := func(g Gomega) fields {
			u, err := read(ctx, host, capacityOf(member))
			g.Expect(err).NotTo(HaveOccurred())
			return conditionOf(u, clusterv1alpha1.ConditionNodePoolsKnown)
		}
		gpus := ref{GroupVersionKind: nodePoolKind, Name: "gpus"}
		limit := func(limits fields) {
			GinkgoHelper()
			tamper(ctx, member, gpus, func(u *unstructured.Unstructured) { set(u.Object, "/spec/limits", limits) })
		}
		Eventually(ctx, known).Should(BeEmpty(), "there is no Karpenter")
		driver := corev1.Taint{Key: "example.com/driver", Effect: corev1.TaintEffectNoSchedule}
		addNode(ctx, member, "of-a-nodepool", func(node *corev1.Node) {
			node.Labels["nvidia.com/gpu.product"], node.Labels["karpenter.sh/nodepool"] = "B200", "gpus"
			node.Spec.Taints = []corev1.Taint{driver}
			node.Status.Allocatable = amounts("cpu", "32", "memory", "64Gi", "pods", "110", "nvidia.com/gpu", "8")
		})
		Eventually(ctx, pools(ctx, member, "nvidia.com/gpu", "B200")).Should(ConsistOf(HaveKeyWithValue("availableNodes", BeEquivalentTo(1))))

		definition := manifest(ctx, member, nodePools)
		knows(ctx, member, nodePoolKind)
		pool := manifest(ctx, member, gpuNodePool)
		Eventually(ctx, growth).Should(Equal(map[string]any{"nvidia.com/gpu": "56", "cpu": "968", "memory": "unlimited"}))
		Eventually(ctx, known).Should(HaveKeyWithValue("reason", clusterv1alpha1.ReasonFollowed))
		Eventually(ctx, pools(ctx, member, "nvidia.com/gpu", "B200")).Should(ConsistOf(And(Not(HaveKey("taints")), Not(HaveKey("availableNodes")))),
			"the node is starting")
		Expect(row(fedctl(ctx, "top", "clusters", "-o", "wide"), member.Name)).To(ContainElement("cpu=968,memory=unlimited,nvidia.com/gpu=56"))

		By("a limit that changes, and nodes that are on their way")
		limit(fields{"nvidia.com/gpu": "16", "cpu": "1000"})
		Eventually(ctx, growth).Should(HaveKeyWithValue("nvidia.com/gpu", "8"))
		Eventually(ctx, func(g Gomega) {
			u := found(ctx, member, gpus)
			set(u.Object, "/status", fields{"resources": fields{"nvidia.com/gpu": "12", "cpu": "100"}})
			g.Expect(member.Status().Update(ctx, u)).To(Succeed())
		}).Should(Succeed())
		Eventually(ctx, growth).Should(Equal(map[string]any{"nvidia.com/gpu": "4", "cpu": "900", "memory": "unlimited"}))

		By("a limit that is none")
		limit(fields{"nvidia.com/gpu": "lots"})
		Eventually(ctx, known).Should(And(HaveKeyWithValue("reason", clusterv1alpha1.ReasonInvalidNodePool),
			HaveKeyWithValue("message", `NodePool gpus: spec.limits.nvidia.com/gpu: "lots" is not an amount`)))
		Eventually(ctx, growth).Should(BeEmpty())
		limit(fields{"nvidia.com/gpu": "16"})
		Eventually(ctx, growth).Should(Equal(map[string]any{"nvidia.com/gpu": "4", "cpu": "unlimited", "memory": "unlimited"}))

		By("a controller that may not read it: what was known stays")
		allow := withoutRight(ctx, member, nodePoolKind.Group, "nodepools")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Eventually(ctx, known).Should(And(HaveKeyWithValue("reason", clusterv1alpha1.ReasonNodePoolsUnreadable), HaveKeyWithValue("message", ContainSubstring("forbidden"))))
		Eventually(ctx, growth).Should(HaveKeyWithValue("nvidia.com/gpu", "4"))
		allow()
		Eventually(ctx, known).Should(HaveKeyWithValue("status", "True"))

		By("a NodePool that is removed, and the definition after it")
		Expect(member.Delete(ctx, pool)).To(Succeed())
		Eventually(ctx, growth).Should(BeEmpty())
		Eventually(ctx, pools(ctx, member, "nvidia.com/gpu", "B200")).Should(ConsistOf(HaveKeyWithValue("availableNodes", BeEquivalentTo(1))))
		Expect(member.Delete(ctx, definition)).To(Succeed())
		Eventually(ctx, known).Should(BeEmpty())
		follow(ctx, member, time.Now())
	}, SpecTimeout(10*time.Minute))

	It("is not asked for where there is no Karpenter, whether it may be read or not", func(ctx SpecContext) {
		member := members[1]
		withoutRight(ctx, member, nodePoolKind.Group, "nodepools")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		node := addNode(ctx, member, "new-to-it", func(node *corev1.Node) { node.Labels["nvidia.com/gpu.product"] = "B200" })
		Eventually(ctx, pools(ctx, member, "cpu", "B200")).Should(HaveLen(1), node.Name)
		Expect(conditionOf(found(ctx, host, capacityOf(member)), clusterv1alpha1.ConditionNodePoolsKnown)).To(BeEmpty())
	}, SpecTimeout(5*time.Minute))

	It("is what the node groups of its own machines allow", func(ctx SpecContext) {
		member := members[1]
		growth := func(g Gomega) []string {
			u, err := read(ctx, host, capacityOf(member))
			g.Expect(err).NotTo(HaveOccurred())
			var said []string
			rows, _ := at(u.Object, "/status/growth").(list)
			for _, row := range rows {
				said = append(said, fmt.Sprint(at(row, "/source"), " ", at(row, "/name"), " ", at(row, "/resource"), " ", at(row, "/more"), " ", at(row, "/product")))
			}
			return said
		}
		known := func(g Gomega) fields {
			u, err := read(ctx, host, capacityOf(member))
			g.Expect(err).NotTo(HaveOccurred())
			return conditionOf(u, clusterv1alpha1.ConditionNodeGroupsKnown)
		}
		Eventually(ctx, known).Should(BeEmpty(), "there is no Cluster API")
		addNode(ctx, member, "of-a-machine", func(node *corev1.Node) {
			node.Annotations = map[string]string{"cluster.x-k8s.io/cluster-name": "prod", "cluster.x-k8s.io/cluster-namespace": "default"}
		})
		definition := manifest(ctx, member, machineDeployments)
		knows(ctx, member, machineDeploymentKind)
		group := manifest(ctx, member, machineDeployment, "gpus", "prod")
		manifest(ctx, member, machineDeployment, "others", "staging")
		Eventually(ctx, growth).Should(ConsistOf("NodeGroup MachineDeployment default/gpus cpu 48 H100", "NodeGroup MachineDeployment default/gpus nvidia.com/gpu 24 H100"))
		Eventually(ctx, known).Should(And(HaveKeyWithValue("reason", clusterv1alpha1.ReasonFollowed), HaveKeyWithValue("message", ContainSubstring("1 are of other clusters"))))
		Expect(row(fedctl(ctx, "top", "clusters", "-o", "wide"), member.Name)).To(ContainElement("cpu=48,nvidia.com/gpu=24"))

		By("an annotation that is mistyped, and one that is mended")
		gpus := ref{GroupVersionKind: machineDeploymentKind, Namespace: "default", Name: "gpus"}
		annotate := func(value string) {
			GinkgoHelper()
			tamper(ctx, member, gpus, func(u *unstructured.Unstructured) {
				annotations := u.GetAnnotations()
				annotations["capacity.cluster-autoscaler.kubernetes.io/gpu-count"] = value
				u.SetAnnotations(annotations)
			})
		}
		annotate("eight")
		Eventually(ctx, known).Should(And(HaveKeyWithValue("reason", clusterv1alpha1.ReasonInvalidNodeGroup),
			HaveKeyWithValue("message", `MachineDeployment default/gpus: annotation capacity.cluster-autoscaler.kubernetes.io/gpu-count: "eight" is not an amount`)))
		Eventually(ctx, growth).Should(BeEmpty())
		annotate("4")
		Eventually(ctx, growth).Should(ContainElement("NodeGroup MachineDeployment default/gpus nvidia.com/gpu 12 H100"))

		By("a controller that may not read it: what was known stays")
		allow := withoutRight(ctx, member, machineDeploymentKind.Group, "machinedeployments")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Eventually(ctx, known).Should(And(HaveKeyWithValue("reason", clusterv1alpha1.ReasonNodeGroupsUnreadable), HaveKeyWithValue("message", ContainSubstring("forbidden"))))
		Eventually(ctx, growth).Should(ContainElement("NodeGroup MachineDeployment default/gpus nvidia.com/gpu 12 H100"))
		allow()
		Eventually(ctx, known).Should(HaveKeyWithValue("status", "True"))

		By("a group that is removed, and the definition after it")
		Expect(member.Delete(ctx, group)).To(Succeed())
		Eventually(ctx, growth).Should(BeEmpty())
		Expect(member.Delete(ctx, definition)).To(Succeed())
		Eventually(ctx, known).Should(BeEmpty())
	}, SpecTimeout(10*time.Minute))
})
