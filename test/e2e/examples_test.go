package e2e

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

const demo = "demo"

// demoRef names an object of the examples.
func demoRef(kind, name string) ref {
	return ref{GroupVersionKind: kinds[kind].WithKind(kind), Namespace: demo, Name: name}
}

// podPhases returns the phases of pods with a label app, and the nodes they are on.
func podPhases(ctx context.Context, c *framework.Cluster, app string) (phases, nodes []string) {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Expect(c.List(ctx, pods, client.InNamespace(demo), client.MatchingLabels{"app": app})).To(Succeed())
	for i := range pods.Items {
		phases = append(phases, string(pods.Items[i].Status.Phase))
		if node := pods.Items[i].Spec.NodeName; node != "" {
			nodes = append(nodes, node)
		}
	}
	return phases, nodes
}

// The examples name the members of local clusters.
var _ = Describe("The examples", localOnly, Ordered, Serial, func() {
	BeforeAll(func(ctx SpecContext) {
		root, err := framework.Root()
		Expect(err).NotTo(HaveOccurred())
		files, err := filepath.Glob(filepath.Join(root, "examples", "*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(files).NotTo(BeEmpty())
		DeferCleanup(func(ctx SpecContext) {
			for kind := range kinds {
				if kind != "ClusterRole" && kind != "Namespace" {
					clear(ctx, "Federated"+kind, demo)
				}
			}
			Expect(client.IgnoreNotFound(host.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: demo}}))).To(Succeed())
		}, NodeTimeout(3*time.Minute))
		for _, file := range files {
			content, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			objects, err := framework.ParseYAML(string(content))
			Expect(err).NotTo(HaveOccurred())
			for _, object := range objects {
				Expect(host.Create(ctx, object)).To(Succeed(), filepath.Base(file))
			}
		}
	})

	It("land with their overrides", func(ctx SpecContext) {
		settings := demoRef("ConfigMap", "web-settings")
		expectField(ctx, members[0], settings, "/data/greeting", "hello from everywhere")
		expectField(ctx, members[1], settings, "/data/greeting", "hello from member-2")
		expectField(ctx, members[1], settings, "/data/maintenance", "true")
		expectField(ctx, members[2], demoRef("Secret", "web-credentials"), "/data/password", "b25seS1pbi1tZW1iZXItMw==")
		web := demoRef("Deployment", "web")
		expectField(ctx, members[0], web, "/spec/replicas", 3)
		expectField(ctx, members[0], web, "/spec/template/spec/initContainers/1/image", "busybox:1.37.0")
		for i, ready := range []int{3, 2, 2} {
			expectField(ctx, members[i], web, "/status/readyReplicas", ready)
		}
		By("and with what another team's policy adds")
		checkout := demoRef("Deployment", "checkout")
		for i, image := range []string{"busybox:1.37", "mirror.example.com/library/busybox:1.37"} {
			expectField(ctx, members[i], checkout, "/spec/template/spec/initContainers/0/name", "telemetry")
			expectField(ctx, members[i], checkout, "/spec/template/spec/containers/0/env/0/name", "CURRENCY")
			expectField(ctx, members[i], checkout, "/spec/template/spec/containers/0/env/1/valueFrom/secretKeyRef/name", "telemetry")
			expectField(ctx, members[i], checkout, "/spec/template/spec/containers/0/image", image)
		}
		telemetry := ref{GroupVersionKind: policyGV.WithKind("OverridePolicy"), Namespace: demo, Name: "telemetry"}
		expectField(ctx, host, telemetry, "/status/objects", 1)
		expectField(ctx, host, telemetry, "/status/clusters", 2)
		backup := demoRef("Backup", "nightly")
		expectField(ctx, members[0], backup, "/spec/schedule", "30 2 * * *")
		expectField(ctx, members[1], backup, "/spec/schedule", "0 */6 * * *")
		expectField(ctx, members[1], backup, "/spec/retention", fields{"daily": 30, "monthly": 12, "weekly": 4, "minGood": 2})
		expectField(ctx, members[2], backup, "/spec/repositoryRef/name", "local-object-store")
	})

	It("divide replicas", func(ctx SpecContext) {
		shop := demoRef("Deployment", "shop")
		for i, ready := range []int{4, 2} {
			expectField(ctx, members[i], shop, "/status/readyReplicas", ready)
		}
		expectField(ctx, members[2], shop, "/spec/replicas", 0)
	})

	It("bind GPU pods where GPUs are, by a policy or an override only", func(ctx SpecContext) {
		for app, pods := range map[string]int{"inference": 2, "inference-by-hand": 1} {
			Eventually(ctx, func(g Gomega) {
				phases, nodes := podPhases(ctx, members[2], app)
				g.Expect(phases).To(And(HaveLen(pods), HaveEach("Running")))
				for _, name := range nodes {
					node := &corev1.Node{}
					g.Expect(members[2].Get(ctx, client.ObjectKey{Name: name}, node)).To(Succeed())
					g.Expect(node.Spec.Taints).To(ContainElement(corev1.Taint{Key: "nvidia.com/gpu", Value: "present", Effect: corev1.TaintEffectNoSchedule}))
				}
			}).Should(Succeed(), app)
		}
		expectPending := func(c *framework.Cluster, app string, pods int) {
			GinkgoHelper()
			Eventually(ctx, func() []string { phases, _ := podPhases(ctx, c, app); return phases }).Should(HaveLen(pods))
			Eventually(ctx, func(g Gomega) {
				list := &corev1.PodList{}
				g.Expect(c.List(ctx, list, client.InNamespace(demo), client.MatchingLabels{"app": app})).To(Succeed())
				for i := range list.Items {
					g.Expect(list.Items[i].Status.Conditions).To(ContainElement(HaveField("Reason", "Unschedulable")))
				}
			}).Should(Succeed())
			phases, nodes := podPhases(ctx, c, app)
			Expect(phases).To(HaveEach("Pending"))
			Expect(nodes).To(BeEmpty())
		}
		expectPending(members[0], "inference", 2)
		expectPending(members[2], "inference-untolerated", 1)
	})

	It("follow the label of a cluster", func(ctx SpecContext) {
		settings := demoRef("ConfigMap", "gpu-settings")
		expectMissing(ctx, members[2], settings)
		relabel(ctx, members[2], "accelerator", "nvidia")
		DeferCleanup(func(ctx SpecContext) { relabel(ctx, members[2], "accelerator", "") })
		expectField(ctx, members[2], settings, "/data/batch-size", "32")
		expectMissing(ctx, members[0], settings)
	})

	It("are explained", func(ctx SpecContext) {
		crd, err := read(ctx, host, ref{
			GroupVersionKind: schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
			Name:             "federateddeployments.types.kubefed.io",
		})
		Expect(err).NotTo(HaveOccurred())
		replicas := at(crd.Object, "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/template/properties/spec/properties/replicas")
		Expect(replicas).To(HaveKeyWithValue("description", Not(BeEmpty())))
	})
})
