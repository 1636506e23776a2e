package e2e

import (
	"context"
	"fmt"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// wildPools are nodes as they are found in the wild, each with two of what it offers.
var wildPools = []struct {
	name, product, offers string
	taints                []corev1.Taint
	// opens says that pods which ask for what it offers run there.
	opens bool
}{
	{"gke", "A100", "nvidia.com/gpu", []corev1.Taint{hard("nvidia.com/gpu", "present")}, true},
	{"openshift", "A100", "nvidia.com/gpu", []corev1.Taint{hard("nvidia.com/gpu", "true")}, true},
	{"time-sliced", "A100-SHARED", "nvidia.com/gpu", []corev1.Taint{hard("nvidia.com/gpu", "present")}, true},
	{"tenant", "A100", "nvidia.com/gpu", []corev1.Taint{hard("dedicated", "gpuGroup")}, false},
	{"tenant-by-key", "A100", "nvidia.com/gpu", []corev1.Taint{hard("nvidia.com/gpu", "team-vision")}, false},
	{"arm", "GB200", "nvidia.com/gpu", []corev1.Taint{hard("nvidia.com/gpu", "present"), hard("kubernetes.io/arch", "arm64")}, false},
	{"spot", "A100", "nvidia.com/gpu", []corev1.Taint{hard("nvidia.com/gpu", "present"), hard("cloud.google.com/gke-spot", "true")}, false},
	{"two-effects", "H100", "nvidia.com/gpu", []corev1.Taint{hard("hpc", "true"), {Key: "hpc", Value: "true", Effect: corev1.TaintEffectNoExecute}}, false},
	{"going", "A100", "nvidia.com/gpu", []corev1.Taint{hard("nvidia.com/gpu", "present"), hard("ToBeDeletedByClusterAutoscaler", "1795996800")}, false},
	{"xid", "A100", "nvidia.com/gpu", []corev1.Taint{hard("nvidia.com/gpu", "present"), hard("nvidia.com/gpu-xid-error", "79")}, false},
	{"mismatch", "MI300X", "amd.com/gpu", []corev1.Taint{hard("nvidia.com/gpu", "present")}, false},
	{"mig", "A100-MIG-1g.10gb", "nvidia.com/mig-1g.10gb", []corev1.Taint{hard("nvidia.com/gpu", "present")}, true},
	{"renamed", "A100-SHARED", "nvidia.com/gpu.shared", []corev1.Taint{hard("nvidia.com/gpu", "present")}, true},
}

// asksFor is a workload whose pods each ask for one of a resource, and tolerate nothing.
func asksFor(namespace, name, resourceName string, replicas int) *federated {
	f := federate("Deployment", namespace, name, workload(fields{"replicas": replicas}))
	at(f.Object, "/spec/template/spec/template/spec/containers/0").(fields)["resources"] = fields{"limits": fields{resourceName: "1"}} //nolint:forcetypeassert // made by workload
	set(f.Object, "/spec/template/spec/selector/matchLabels/app", name)
	set(f.Object, "/spec/template/spec/template/metadata/labels/app", name)
	return f
}

// runningOn counts the pods of a workload that run, by node.
func runningOn(ctx context.Context, c *framework.Cluster, f *federated) func(g Gomega) map[string]int {
	return func(g Gomega) map[string]int {
		pods := &corev1.PodList{}
		g.Expect(c.List(ctx, pods, client.InNamespace(f.GetNamespace()), client.MatchingLabels{"app": f.GetName()})).To(Succeed())
		nodes := map[string]int{}
		for i := range pods.Items {
			if pods.Items[i].Status.Phase == corev1.PodRunning && pods.Items[i].DeletionTimestamp == nil {
				nodes[pods.Items[i].Spec.NodeName]++
			}
		}
		return nodes
	}
}

// opened are the nodes on which pods that ask for a resource run, full.
func opened(nodes map[string]*corev1.Node, resourceName string) map[string]int {
	full := map[string]int{}
	for _, pool := range wildPools {
		if pool.opens && pool.offers == resourceName {
			full[nodes[pool.name].Name] = 2
		}
	}
	return full
}

// nodesKnown is how many nodes of a resource and a product the host knows of in a cluster.
func nodesKnown(ctx context.Context, c *framework.Cluster, resource, product string) func(g Gomega) int {
	return func(g Gomega) (known int) {
		for _, pool := range pools(ctx, c, resource, product)(g) {
			n, _ := at(pool, "/nodes").(int64)
			known += int(n)
		}
		return known
	}
}

// nodesLike is how many of wildPools offer a resource and are of a product.
func nodesLike(resource, product string) (n int) {
	for _, pool := range wildPools {
		if pool.offers == resource && pool.product == product {
			n++
		}
	}
	return n
}

var _ = Describe("Derived tolerations on nodes as they are found", localOnly, Serial, func() {
	It("let pods run where the hardware is all that a taint says, and nowhere else, and follow taints", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c, without := members[0], members[1]
		nodes := map[string]*corev1.Node{}
		for i, pool := range wildPools {
			nodes[pool.name] = gpuNode(ctx, c, "wild-"+strconv.Itoa(i)+"-"+pool.name, pool.product, pool.offers, pool.taints...)
			shrink(ctx, c, nodes[pool.name], pool.offers)
		}
		// What is derived from some of the nodes may open others, and nobody evicts who is there.
		for _, pool := range wildPools {
			Eventually(ctx, nodesKnown(ctx, c, pool.offers, pool.product)).Should(Equal(nodesLike(pool.offers, pool.product)), "%s %s", pool.offers, pool.product)
		}
		p := policy(ctx, ns, "gpus", fields{"rules": list{fields{"deriveTolerations": fields{}}}})
		first := create(ctx, asksFor(ns, "first", "nvidia.com/gpu", 0).on(c)) // tells when the controller knows of it all
		narrow := []string{"nvidia.com/gpu=present:NoSchedule", "nvidia.com/gpu=true:NoSchedule"}
		Eventually(ctx, tolerationsIn(ctx, c, first.target)).Should(Equal(narrow), "Exists would open a tenant's nodes")
		remove(ctx, first)
		var workloads []*federated
		for i, resourceName := range []string{"nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "nvidia.com/gpu.shared", "amd.com/gpu"} {
			f := asksFor(ns, "asks-"+strconv.Itoa(i), resourceName, 9).on(c, without)
			create(ctx, f)
			workloads = append(workloads, f)
			By(resourceName)
			Eventually(ctx, runningOn(ctx, c, f)).Should(Equal(opened(nodes, resourceName)))
		}
		whole := workloads[0]
		Eventually(ctx, tolerationsIn(ctx, c, whole.target)).Should(Equal(narrow))
		Consistently(ctx, runningOn(ctx, c, whole), 2*time.Second).Should(Equal(opened(nodes, "nvidia.com/gpu")))
		Expect(runningOn(ctx, without, whole)(Default)).To(BeEmpty())
		expectMessage(ctx, whole, without.Name, "no node offers 1 of nvidia.com/gpu")
		expectCondition(ctx, p, "Applied", "True", "Restricted", "is closed to it by")
		explained := fedctl(ctx, "explain", "deployment/"+whole.GetName(), "-n", ns, "--cluster", c.Name)
		for _, taint := range []string{"dedicated=gpuGroup:NoSchedule", "nvidia.com/gpu=team-vision:NoSchedule", "kubernetes.io/arch=arm64:NoSchedule", "cloud.google.com/gke-spot=true:NoSchedule", "hpc=true:NoExecute"} {
			Expect(explained).To(ContainSubstring(taint))
		}
		Expect(explained).NotTo(Or(ContainSubstring("closed to it by ToBeDeleted"), ContainSubstring("xid-error")), "these pass, and nobody is asked to approve them")

		By("a taint that is changed: the tenant gives the node up")
		retaint(ctx, c, nodes["tenant"], hard("nvidia.com/gpu", "present"))
		want := opened(nodes, "nvidia.com/gpu")
		want[nodes["tenant"].Name] = 2
		Eventually(ctx, runningOn(ctx, c, whole)).Should(Equal(want))

		By("a taint that is removed: nobody minds the architecture any more")
		retaint(ctx, c, nodes["arm"], hard("nvidia.com/gpu", "present"))
		want[nodes["arm"].Name] = 1 // nine in all
		Eventually(ctx, runningOn(ctx, c, whole)).Should(Equal(want))

		By("a taint that is added: the pods move to where there is room")
		retaint(ctx, c, nodes["openshift"], hard("nvidia.com/gpu", "true"), corev1.Taint{Key: "dedicated", Value: "y", Effect: corev1.TaintEffectNoExecute})
		delete(want, nodes["openshift"].Name)
		want[nodes["arm"].Name] = 2
		Eventually(ctx, runningOn(ctx, c, whole)).Should(Equal(want))
		Expect(fedctl(ctx, "explain", "deployment/"+whole.GetName(), "-n", ns, "--cluster", c.Name)).To(ContainSubstring("dedicated=y:NoExecute"))

		By("an approval opens one of the closed pools, by its value")
		tamper(ctx, host, p, func(u *unstructured.Unstructured) {
			approve := list{fields{"key": "cloud.google.com/gke-spot", "value": "true", "effect": "NoSchedule"}}
			set(u.Object, "/spec/rules/0/deriveTolerations/approve", plain(fields{"approve": approve})["approve"])
		})
		Eventually(ctx, func(g Gomega) {
			g.Expect(tolerationsIn(ctx, c, whole.target)(g)).To(Equal([]string{"cloud.google.com/gke-spot=true:NoSchedule", "nvidia.com/gpu=present:NoSchedule"})) // no open pool has "true" any more
			running := runningOn(ctx, c, whole)(g)
			g.Expect(running[nodes["spot"].Name]).To(BeNumerically(">", 0), "%v", running)
			for _, closed := range []string{"tenant-by-key", "two-effects", "going", "xid", "mismatch", "openshift"} {
				g.Expect(running[nodes[closed].Name]).To(BeZero(), "%s: %v", closed, running)
			}
		}).Should(Succeed())

		// Pods end while their nodes are there: nobody else ends them.
		for _, f := range workloads {
			remove(ctx, f)
		}
		Eventually(ctx, func(g Gomega) {
			pods := &corev1.PodList{}
			g.Expect(c.List(ctx, pods, client.InNamespace(ns))).To(Succeed())
			g.Expect(pods.Items).To(BeEmpty())
		}).Should(Succeed())
	}, SpecTimeout(10*time.Minute))
})

var _ = Describe("Derived tolerations in a cluster of devices alone", localOnly, Serial, func() {
	It("let pods run whose claims the scheduler allocates, and leave the claims alone", func(ctx SpecContext) {
		const driver = "gpu.nvidia.com"
		ns := federatedNamespace(ctx)
		c := members[1]
		node := addNode(ctx, c, "claimed", func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{hard("nvidia.com/gpu", "present")} })
		class := &resourcev1.DeviceClass{Spec: resourcev1.DeviceClassSpec{Selectors: []resourcev1.DeviceSelector{
			{CEL: &resourcev1.CELDeviceSelector{Expression: `device.driver == "` + driver + `"`}},
		}}}
		class.Name = driver
		provide(ctx, c, class)
		slice := deviceSlice(node.Name) // two devices that work, and one that does not
		slice.Name, slice.Spec.Driver = node.Name+"-"+driver, driver
		provide(ctx, c, slice)
		Eventually(ctx, pools(ctx, c, clusterv1alpha1.DeviceClassPrefix+driver, "Imagined-1")).Should(HaveLen(1))

		f := federate("Deployment", ns, "claims", workload(fields{"replicas": 3})).on(c)
		set(f.Object, "/spec/template/spec/selector/matchLabels/app", "claims")
		set(f.Object, "/spec/template/spec/template/metadata/labels/app", "claims")
		set(f.Object, "/spec/template/spec/template/spec/resourceClaims", list{fields{"name": "gpu", "resourceClaimTemplateName": "gpu"}})
		set(f.Object, "/spec/template/spec/template/spec/containers/0/resources", fields{"claims": list{fields{"name": "gpu"}}})
		create(ctx, f)
		expectField(ctx, c, f.target, "/spec/replicas", 3)
		template := &resourcev1.ResourceClaimTemplate{Spec: resourcev1.ResourceClaimTemplateSpec{Spec: resourcev1.ResourceClaimSpec{Devices: resourcev1.DeviceClaim{
			Requests: []resourcev1.DeviceRequest{{Name: "gpu", Exactly: &resourcev1.ExactDeviceRequest{DeviceClassName: driver}}},
		}}}}
		template.Namespace, template.Name = ns, "gpu"
		provide(ctx, c, template)
		Consistently(ctx, runningOn(ctx, c, f), 2*time.Second).Should(BeEmpty(), "the node is tainted")

		policy(ctx, ns, "devices", fields{"rules": list{fields{"deriveTolerations": fields{}}}})
		Eventually(ctx, tolerationsIn(ctx, c, f.target)).Should(Equal([]string{"nvidia.com/gpu:NoSchedule"}))
		Eventually(ctx, runningOn(ctx, c, f)).Should(Equal(map[string]int{node.Name: 2}), "as many as there are devices that work")
		Expect(at(found(ctx, c, f.target).Object, "/spec/template/spec/resourceClaims/0/resourceClaimTemplateName")).To(Equal("gpu"))
		Expect(fedctl(ctx, "explain", "deployment/claims", "-n", ns)).To(ContainSubstring("derived from nvidia.com/gpu=present:NoSchedule of 1 node (gpu.nvidia.com Imagined-1)"))

		remove(ctx, f)
		Eventually(ctx, func(g Gomega) {
			pods := &corev1.PodList{}
			g.Expect(c.List(ctx, pods, client.InNamespace(ns))).To(Succeed())
			g.Expect(pods.Items).To(BeEmpty())
		}).Should(Succeed())
	}, SpecTimeout(8*time.Minute))
})

// shrink leaves a node two of a resource.
func shrink(ctx context.Context, c *framework.Cluster, node *corev1.Node, resourceName string) {
	GinkgoHelper()
	patch := fmt.Sprintf(`{"status":{"capacity":{%[1]q:"2"},"allocatable":{%[1]q:"2"}}}`, resourceName)
	Expect(c.Status().Patch(ctx, node, client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
}
