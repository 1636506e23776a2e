package autoscaling

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/kit"
)

var _ = Describe("A federated autoscaler", func() {
	It("scales in each member as its load asks for, and nobody scales back", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		busy, idle := members[0], members[1]
		for _, c := range members {
			loads[c.Name].set(ns, 100) // two pods at half of what they ask for
		}
		deployment(ctx, ns, "web", 2, "", members...)
		scaler := federatedAutoscaler(ctx, ns)
		for _, c := range members {
			kit.ExpectField(ctx, c, web(ns), "/status/readyReplicas", 2)
			Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(And(
				HaveKeyWithValue("replicas", "Autoscaled"), HaveKeyWithValue("by", "HorizontalPodAutoscaler web"), HaveKeyWithValue("templateReplicas", int64(2))))
		}
		kit.ExpectField(ctx, idle, kit.Named("autoscaling/v2", "HorizontalPodAutoscaler", ns, "web"), "/spec/maxReplicas", 3)

		By("a load that rises in one member")
		before := quiet(ctx, busy)
		loads[busy.Name].set(ns, 250)
		Eventually(ctx, replicas(ctx, busy, web(ns))).Should(Equal(int64(5)))
		Consistently(ctx, replicas(ctx, busy, web(ns)), 12*sync).Should(Equal(int64(5)))
		Expect(replicas(ctx, idle, web(ns))()).To(Equal(int64(2)))
		Expect(applies(ctx, busy).Since(before)).To(BeEmpty(), "what an autoscaler does costs no write")

		By("a policy, which is applied though nobody sends replicas")
		policy := kit.Named("policy.fedctl.io/v1alpha1", "OverridePolicy", ns, "tier")
		createIn(ctx, host, `{apiVersion: policy.fedctl.io/v1alpha1, kind: OverridePolicy, metadata: {name: tier, namespace: %s}, spec: {
			selectors: [{kind: Deployment}], rules: [{labels: {tier: front}}]}}`, ns)
		Eventually(ctx, func() any { return kit.At(kit.Found(ctx, busy, web(ns)).Object, "/metadata/labels/tier") }).Should(Equal("front"))
		Eventually(ctx, func() any {
			conditions, _ := kit.At(kit.Found(ctx, host, policy).Object, "/status/conditions").([]any)
			return conditions
		}).Should(ContainElement(And(HaveKeyWithValue("type", "Applied"), HaveKeyWithValue("status", "True"))))
		before = quiet(ctx, busy)

		By("a load that falls again")
		loads[busy.Name].set(ns, 50)
		Eventually(ctx, replicas(ctx, busy, web(ns))).Should(Equal(int64(1)))
		Expect(applies(ctx, busy).Since(before)).To(BeEmpty())

		By("a change of the template")
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/template/spec/minReadySeconds", 1)
			kit.Set(u.Object, "/spec/template/spec/replicas", 4)
		})
		for _, c := range members {
			kit.ExpectField(ctx, c, web(ns), "/spec/minReadySeconds", 1)
		}
		Consistently(ctx, replicas(ctx, busy, web(ns)), 5*sync).Should(Equal(int64(1)))
		Expect(replicas(ctx, idle, web(ns))()).To(Equal(int64(2)))
		Expect(eventsOf(ctx, federatedWeb(ns), "ReplicasLeftToAutoscaler", busy)).To(HaveLen(1))

		By("a member that is taken out of the placement, and put back")
		places := func(in ...any) {
			GinkgoHelper()
			kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/placement/clusters", in) })
		}
		places(kit.Fields{"name": busy.Name})
		kit.ExpectGone(ctx, idle, web(ns))
		Expect(replicas(ctx, busy, web(ns))()).To(Equal(int64(1)))
		places(kit.Fields{"name": busy.Name}, kit.Fields{"name": idle.Name})
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), idle)).Should(HaveKeyWithValue("replicas", "Autoscaled"))
		Eventually(ctx, replicas(ctx, idle, web(ns))).Should(BeNumerically("<", 4), "its autoscaler has it")

		By("the end of the autoscaler")
		Expect(host.Delete(ctx, scaler.Empty())).To(Succeed())
		for _, c := range members {
			kit.ExpectGone(ctx, c, kit.Named("autoscaling/v2", "HorizontalPodAutoscaler", ns, "web"))
			Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(And(HaveKeyWithValue("replicas", "Kept"), HaveKeyWithValue("templateReplicas", int64(4))))
			Eventually(ctx, func() []string { return eventsOf(ctx, federatedWeb(ns), "AutoscalerGone", c) }).Should(HaveLen(1))
		}
		Consistently(ctx, replicas(ctx, busy, web(ns)), 3*time.Second).Should(Equal(int64(1)))

		By("a template that says another number")
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/template/spec/replicas", 3) })
		for _, c := range members {
			kit.ExpectField(ctx, c, web(ns), "/spec/replicas", 3)
			Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(BeEmpty())
		}
	})
})
