package e2e

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

var policyGV = schema.GroupVersion{Group: "policy.fedctl.io", Version: "v1alpha1"}

// policy makes an OverridePolicy, or without a namespace a ClusterOverridePolicy.
func policy(ctx context.Context, namespace, name string, spec fields) ref {
	GinkgoHelper()
	r := ref{GroupVersionKind: policyGV.WithKind("OverridePolicy"), Namespace: namespace, Name: name}
	if namespace == "" {
		r.Kind = "ClusterOverridePolicy"
	}
	object := &federated{Unstructured: &unstructured.Unstructured{Object: fields{}}}
	object.SetGroupVersionKind(r.GroupVersionKind)
	object.SetNamespace(namespace)
	object.SetName(name)
	object.Object["spec"] = plain(spec)
	Expect(host.Create(ctx, object.Unstructured)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(host.Delete(ctx, object.Unstructured))).To(Succeed())
	})
	return r
}

// gpuNode adds a node with accelerators to a local cluster.
func gpuNode(ctx context.Context, c *framework.Cluster, name, product, resourceName string, taints ...corev1.Taint) *corev1.Node {
	GinkgoHelper()
	return addNode(ctx, c, name, func(node *corev1.Node) {
		node.Labels["nvidia.com/gpu.product"] = product
		node.Spec.Taints = taints
		node.Status.Allocatable[corev1.ResourceName(resourceName)] = resource.MustParse("8")
	})
}

// addNode adds a node to a local cluster; kwok plays its kubelet.
func addNode(ctx context.Context, c *framework.Cluster, name string, change func(*corev1.Node)) *corev1.Node {
	GinkgoHelper()
	node := &corev1.Node{Status: corev1.NodeStatus{
		Allocatable: amounts("cpu", "32", "memory", "64Gi", "pods", "110"),
		Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
	node.Name = name
	node.Labels = map[string]string{"type": "kwok", corev1.LabelHostname: name}
	node.Annotations = map[string]string{"kwok.x-k8s.io/node": "fake"}
	change(node)
	node.Status.Capacity = node.Status.Allocatable
	Expect(c.Create(ctx, node)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { removeNode(ctx, c, node) })
	return node
}

// removeNode deletes a node with what runs on it, as a cluster's own garbage collector of
// pods would: nobody else ends pods whose node has gone, and their namespace waits for them.
func removeNode(ctx context.Context, c *framework.Cluster, node *corev1.Node) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(c.Delete(ctx, node))).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		var pods corev1.PodList
		g.Expect(c.List(ctx, &pods, client.MatchingFields{"spec.nodeName": node.Name})).To(Succeed())
		for i := range pods.Items {
			g.Expect(client.IgnoreNotFound(c.Delete(ctx, &pods.Items[i], client.GracePeriodSeconds(0)))).To(Succeed())
		}
		g.Expect(pods.Items).To(BeEmpty())
	}).Should(Succeed())
}

// amounts are resources and how much of each.
func amounts(of ...string) corev1.ResourceList {
	all := corev1.ResourceList{}
	for i := 0; i+1 < len(of); i += 2 {
		all[corev1.ResourceName(of[i])] = resource.MustParse(of[i+1])
	}
	return all
}

func hard(key, value string) corev1.Taint {
	return corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffectNoSchedule}
}

// retaint replaces a node's taints.
func retaint(ctx context.Context, c *framework.Cluster, node *corev1.Node, taints ...corev1.Taint) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(c.Get(ctx, client.ObjectKeyFromObject(node), node)).To(Succeed())
		node.Spec.Taints = taints
		g.Expect(c.Update(ctx, node)).To(Succeed())
	}).Should(Succeed())
}

// tolerationsIn are those of a workload's pods in a cluster, as key=value:effect.
func tolerationsIn(ctx context.Context, c *framework.Cluster, r ref) func(g Gomega) []string {
	return func(g Gomega) []string {
		object, err := read(ctx, c, r)
		g.Expect(err).NotTo(HaveOccurred())
		items, _ := at(object.Object, "/spec/template/spec/tolerations").([]any)
		said := []string{}
		for _, item := range items {
			toleration := item.(map[string]any)
			text := toleration["key"].(string)
			if value, ok := toleration["value"].(string); ok {
				text += "=" + value
			}
			said = append(said, text+":"+toleration["effect"].(string))
		}
		return said
	}
}

// boundTo are the nodes on which a workload's pods run, each once.
func boundTo(ctx context.Context, c *framework.Cluster, r ref) func(g Gomega) map[string]int {
	return func(g Gomega) map[string]int {
		pods := &corev1.PodList{}
		g.Expect(c.List(ctx, pods, client.InNamespace(r.Namespace))).To(Succeed())
		nodes := map[string]int{}
		for i := range pods.Items {
			if pods.Items[i].Status.Phase == corev1.PodRunning && pods.Items[i].DeletionTimestamp == nil {
				nodes[pods.Items[i].Spec.NodeName]++
			}
		}
		return nodes
	}
}

// trainers is a workload that asks for a GPU with each pod, and tolerates nothing.
func trainers(namespace string, replicas int) *federated {
	f := federate("Deployment", namespace, "trainers", workload(fields{"replicas": replicas}))
	container := at(f.Object, "/spec/template/spec/template/spec/containers/0").(map[string]any)
	container["resources"] = fields{"limits": fields{"nvidia.com/gpu": "1"}}
	return f
}

var _ = Describe("Policies", localOnly, Serial, func() {
	It("let pods onto the GPUs of clusters that are tainted differently, and follow their taints", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		mixed, without, uniform := members[0], members[1], members[2]
		open := gpuNode(ctx, mixed, "pool-present", "A100", "nvidia.com/gpu", hard("nvidia.com/gpu", "present"))
		gpuNode(ctx, mixed, "pool-arm", "GB200", "nvidia.com/gpu", hard("nvidia.com/gpu", "present"), hard("kubernetes.io/arch", "arm64"))
		gpuNode(ctx, mixed, "pool-tenant", "H100", "nvidia.com/gpu", hard("dedicated", "research"))
		gpuNode(ctx, mixed, "pool-broken", "A100", "nvidia.com/gpu", hard("nvidia.com/gpu", "present"), hard("nvidia.com/gpu-xid-error", "79"))
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, capacityOf(mixed))
			g.Expect(err).NotTo(HaveOccurred())
			pools, _ := at(u.Object, "/status/pools").(list)
			g.Expect(slices.DeleteFunc(pools, func(p any) bool { return at(p, "/resource") != "nvidia.com/gpu" })).To(HaveLen(3), "the broken node is of the pool that it would be of")
		}).Should(Succeed())

		rule := fields{"deriveTolerations": fields{"requireNodes": true}}
		gpus := policy(ctx, "", "gpus-"+ns, fields{"selectors": list{fields{"namespaces": list{ns}}}, "rules": list{rule}})
		f := trainers(ns, 3).on(mixed, without, uniform)
		create(ctx, f)
		Eventually(ctx, boundTo(ctx, mixed, f.target)).Should(Equal(map[string]int{open.Name: 3}))
		Eventually(ctx, boundTo(ctx, uniform, f.target)).Should(HaveLen(1))
		Eventually(ctx, tolerationsIn(ctx, uniform, f.target)).Should(Equal([]string{"nvidia.com/gpu:NoSchedule"}))
		Eventually(ctx, func(g Gomega) {
			o := outcomeOf(found(ctx, host, f.ref()))
			g.Expect(o.Messages[mixed.Name]).To(And(ContainSubstring("nvidia.com/gpu H100 is closed to it by dedicated=research:NoSchedule"), ContainSubstring("approve:")))
			g.Expect(o.Messages[without.Name]).To(ContainSubstring("no node offers 1 of nvidia.com/gpu"))
		}).Should(Succeed())
		Eventually(ctx, tolerationsIn(ctx, without, f.target)).Should(BeEmpty())

		By("saying so beforehand, by the same rules")
		Expect(fedctl(ctx, "explain", "deployment/trainers", "-n", ns, "--cluster", mixed.Name)).To(And(
			ContainSubstring("ClusterOverridePolicy gpus-"+ns+": spec.rules[0]"), ContainSubstring("spec.template.spec.tolerations"), ContainSubstring("is closed to it by dedicated=research:NoSchedule")))
		Expect(fedctl(ctx, "top", "accelerators")).To(And(ContainSubstring("dedicated=research:NoSchedule"), ContainSubstring("GB200")))

		By("approving a tenant's taint")
		tamper(ctx, host, gpus, func(u *unstructured.Unstructured) {
			maps.Copy(u.Object["spec"].(fields), plain(fields{"rules": list{fields{"deriveTolerations": fields{"approve": list{fields{"key": "dedicated", "value": "research", "effect": "NoSchedule"}}}}}})) //nolint:forcetypeassert // made above
		})
		Eventually(ctx, tolerationsIn(ctx, mixed, f.target)).Should(Equal([]string{"dedicated=research:NoSchedule", "nvidia.com/gpu:NoSchedule"}))

		By("a taint that comes: the cluster's objects follow, and no others")
		quiet(ctx) // what earlier specs leave is removed by writes
		before := writes(ctx, mixed, "deployments.apps")
		untouched := writes(ctx, mixed, "configmaps")
		retaint(ctx, uniform, nodesOffering(ctx, uniform)[0], hard("nvidia.com/gpu", "present"), hard("hpc", "true"))
		Eventually(ctx, tolerationsIn(ctx, uniform, f.target)).Should(BeEmpty())
		retaint(ctx, uniform, nodesOffering(ctx, uniform)[0], hard("nvidia.com/gpu", "present"))
		Eventually(ctx, tolerationsIn(ctx, uniform, f.target)).Should(Equal([]string{"nvidia.com/gpu:NoSchedule"}))
		Expect(writes(ctx, mixed, "deployments.apps").Since(before)).To(BeEmpty())
		Expect(writes(ctx, mixed, "configmaps").Since(untouched)).To(BeEmpty())

		By("a policy that cannot be carried out leaves what is there")
		tamper(ctx, host, gpus, func(u *unstructured.Unstructured) {
			maps.Copy(u.Object["spec"].(fields), plain(fields{"rules": list{fields{"images": list{fields{"tag": "no tag"}}}}})) //nolint:forcetypeassert // made above
		})
		expectField(ctx, host, gpus, "/status/conditions/0/reason", "Invalid")
		expectStatus(ctx, f, "CheckClusters", map[string]string{mixed.Name: "ApplyOverridesFailed", without.Name: "ApplyOverridesFailed", uniform.Name: "ApplyOverridesFailed"})
		Consistently(ctx, tolerationsIn(ctx, uniform, f.target)).Should(Equal([]string{"nvidia.com/gpu:NoSchedule"}))

		By("a policy that is gone")
		Expect(host.Delete(ctx, found(ctx, host, gpus))).To(Succeed())
		Eventually(ctx, tolerationsIn(ctx, uniform, f.target)).Should(BeEmpty())
		expectSettled(ctx, f, mixed, without, uniform)

		// Pods end while their nodes are there: nobody else ends them.
		remove(ctx, f)
		Eventually(ctx, func(g Gomega) {
			pods := &corev1.PodList{}
			g.Expect(mixed.List(ctx, pods, client.InNamespace(ns))).To(Succeed())
			g.Expect(pods.Items).To(BeEmpty())
		}).Should(Succeed())
	}, SpecTimeout(10*time.Minute))

	It("put what a team needs into workloads that others create, and yield to an object's own overrides", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		first, second := members[0], members[1]
		f := federate("Deployment", ns, "app", workload(fields{"replicas": 1})).on(first, second)
		f.SetLabels(map[string]string{"injected": "yes"})
		f.override(second.Name, patch("add", "/spec/template/spec/priorityClassName", "own"))
		other := federate("Deployment", ns, "other", workload(fields{"replicas": 1})).on(first)
		create(ctx, f)
		create(ctx, other)
		expectSettled(ctx, f, first, second)
		expectSettled(ctx, other, first)
		quiet(ctx) // what earlier specs leave is removed by writes
		before := writes(ctx, first, "deployments.apps")
		p := policy(ctx, ns, "credentials", fields{
			"selectors": list{fields{"kind": "Deployment", "labelSelector": fields{"matchLabels": fields{"injected": "yes"}}}},
			"rules": list{fields{
				"env":     list{fields{"name": "TOKEN", "valueFrom": fields{"secretKeyRef": fields{"name": "team", "key": "token", "optional": true}}}},
				"volumes": list{fields{"name": "team", "emptyDir": fields{}}}, "volumeMounts": list{fields{"name": "team", "mountPath": "/team"}},
				"sidecars":          list{fields{"name": "proxy", "image": "registry.k8s.io/pause:3.10"}},
				"priorityClassName": "system-cluster-critical", "annotations": fields{"team": "infra"},
			}},
		})
		expectField(ctx, first, f.target, "/spec/template/spec/containers/1/name", "proxy")
		expectField(ctx, first, f.target, "/spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/name", "team")
		expectField(ctx, first, f.target, "/metadata/annotations/team", "infra")
		expectField(ctx, second, f.target, "/spec/template/spec/priorityClassName", "own")
		expectField(ctx, host, p, "/status/objects", 1)
		expectSettled(ctx, f, first, second)
		Expect(writes(ctx, first, "deployments.apps").Since(before)).To(Equal(framework.Requests{"APPLY deployments.apps": 1}), "one for the object, none for the other")

		By("a controller that starts again writes nothing")
		before = writes(ctx, first, "deployments.apps")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		change(ctx, other, func(f *federated) { f.SetAnnotations(map[string]string{"touched": "yes"}) })
		expectSettled(ctx, f, first, second)
		expectSettled(ctx, other, first)
		Expect(writes(ctx, first, "deployments.apps").Since(before)).To(BeEmpty())
	}, SpecTimeout(8*time.Minute))

	It("that cannot be read are not taken for none", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		policy(ctx, ns, "replicas", fields{"rules": list{fields{"replicas": 3}}})
		f := federate("Deployment", ns, "app", workload(fields{"replicas": 1})).on(members[0])
		create(ctx, f)
		expectField(ctx, members[0], f.target, "/spec/replicas", 3)

		role := ref{GroupVersionKind: schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}, Name: "fedctl-controller"}
		allow := limitController(ctx, role, policyGV.Group, "overridepolicies", func(rule fields) {
			if at(rule, "/apiGroups/0") == policyGV.Group {
				rule["resources"] = list{"none"}
			}
		})
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Eventually(ctx, func() fields { return conditionOf(found(ctx, host, f.ref()), "Propagation") }).Should(And(
			HaveKeyWithValue("reason", "ComputePlacementFailed"),
			HaveKeyWithValue("message", And(ContainSubstring("overridepolicies cannot be read"), ContainSubstring("forbidden")))))
		expectField(ctx, members[0], f.target, "/spec/replicas", 3)
		allow(ctx)
		expectSettled(ctx, f, members[0])
		expectField(ctx, members[0], f.target, "/spec/replicas", 3)
	}, SpecTimeout(8*time.Minute))

	It("of a namespace never reach another, nor the namespace itself", func(ctx SpecContext) {
		ns, elsewhere := federatedNamespace(ctx), federatedNamespace(ctx)
		policy(ctx, ns, "labels", fields{"selectors": list{fields{}}, "rules": list{fields{"labels": fields{"pod-security.kubernetes.io/enforce": "privileged"}}}})
		mine, others := configMap(ns, "mine", fields{"a": "b"}).on(members[0]), configMap(elsewhere, "others", fields{"a": "b"}).on(members[0])
		create(ctx, mine)
		create(ctx, others)
		expectField(ctx, members[0], mine.target, "/metadata/labels/pod-security.kubernetes.io~1enforce", "privileged")
		expectSettled(ctx, others, members[0])
		Expect(at(found(ctx, members[0], others.target).Object, "/metadata/labels/pod-security.kubernetes.io~1enforce")).To(BeNil())
		namespace := ref{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("Namespace"), Name: ns}
		Expect(at(found(ctx, members[0], namespace).Object, "/metadata/labels/pod-security.kubernetes.io~1enforce")).To(BeNil())

		in := &federated{Unstructured: &unstructured.Unstructured{Object: fields{}}}
		in.SetGroupVersionKind(policyGV.WithKind("OverridePolicy"))
		in.SetNamespace(ns)
		in.SetName("wide")
		in.Object["spec"] = plain(fields{"selectors": list{fields{"namespaces": list{elsewhere}}}, "rules": list{fields{"replicas": 1}}})
		Expect(host.Create(ctx, in.Unstructured)).To(MatchError(ContainSubstring("an OverridePolicy is for its own namespace")))
	}, SpecTimeout(5*time.Minute))
})

// nodesOffering are the nodes of a local cluster that have GPUs.
func nodesOffering(ctx context.Context, c *framework.Cluster) []*corev1.Node {
	GinkgoHelper()
	nodes := &corev1.NodeList{}
	Expect(c.List(ctx, nodes)).To(Succeed())
	var found []*corev1.Node
	for i := range nodes.Items {
		if strings.Contains(nodes.Items[i].Name, "gpu") {
			found = append(found, &nodes.Items[i])
		}
	}
	Expect(found).NotTo(BeEmpty())
	return found
}
