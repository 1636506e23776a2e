package deletion

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

var _ = Describe("A deletion", func() {
	It("does not wait for a member that no longer knows the type", func(ctx SpecContext) {
		w, err := newWorld(ctx)
		Expect(err).NotTo(HaveOccurred())
		w.settle(ctx)
		other := w.own.DeepCopy()
		other.SetName("other")
		Expect(host.Create(ctx, other)).To(Succeed())

		By("deleting the target's definition in a member")
		Expect(drop(ctx, members[0], w.target)).To(Succeed())
		expectClusterStatus := func(c *framework.Cluster, texts ...string) {
			GinkgoHelper()
			Eventually(ctx, func(g Gomega) {
				u, err := read(ctx, host, w.own)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(clusterStatus(u, c.Name)).To(ContainElements(texts))
			}).Should(Succeed())
		}
		expectClusterStatus(members[0], "CachedRetrievalFailed", "the cluster does not serve "+w.name+"s.example.com/v1; install its CustomResourceDefinition there")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Expect(drop(ctx, host, other)).To(Succeed())
		Eventually(ctx, func() bool { _, err := read(ctx, host, other); return isGone(err) }).Should(BeTrue())
		Expect(strings.Count(system.Controller.LogTail(1000), w.name+"s.example.com/v1")).To(BeNumerically("<", 10), "each try is logged")

		By("defining it again")
		Eventually(ctx, func() error { return members[0].Create(ctx, w.target.DeepCopy()) }).Should(Succeed())
		target := w.own.DeepCopy()
		target.SetAPIVersion("example.com/v1")
		target.SetKind("K" + w.name)
		Eventually(ctx, func() error { _, err := read(ctx, members[0], target); return err }).Should(Succeed())
		expectClusterStatus(members[0], "")
		finish(ctx, []*world{w})
		expectGone(ctx, []*world{w})
	}, NodeTimeout(8*time.Minute))

	It("ends also while the type namespaces is disabled", func(ctx SpecContext) {
		w, err := newWorld(ctx)
		Expect(err).NotTo(HaveOccurred())
		w.settle(ctx)
		namespaces := &unstructured.Unstructured{}
		namespaces.SetAPIVersion("core.kubefed.io/v1beta1")
		namespaces.SetKind("FederatedTypeConfig")
		namespaces.SetNamespace(framework.KubeFedNamespace)
		namespaces.SetName("namespaces")
		Expect(drop(ctx, host, namespaces)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			fedctl(ctx, "enable", "namespaces")
			finish(ctx, []*world{w})
			expectGone(ctx, []*world{w})
		}, NodeTimeout(5*time.Minute))
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, w.own)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(asText(u.Object["status"])).To(And(ContainSubstring("ComputePlacementFailed"), ContainSubstring("fedctl enable namespaces")))
		}).Should(Succeed())
		Expect(drop(ctx, host, w.own, w.common, w.federatedNamespace)).To(Succeed())
		expectEnded(ctx, []*world{w})
		for _, object := range w.federated() {
			_, err := read(ctx, host, object)
			Expect(isGone(err)).To(BeTrue())
		}
		target := w.common.DeepCopy()
		target.SetAPIVersion("v1")
		target.SetKind("ConfigMap")
		for _, c := range members {
			_, err := read(ctx, c, target)
			Expect(isGone(err)).To(BeTrue(), c.Name)
		}
	}, NodeTimeout(8*time.Minute))
})
