package autoscaling

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/kit"
)

var _ = Describe("An autoscaler that scales to zero", Serial, func() {
	It("has its zero, as any other number", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[0]
		kit.ExpectField(ctx, c, kit.Named("v1", "Namespace", "", ns), "/status/phase", "Active")
		loads[c.Name].queued.set(ns, 2)
		createIn(ctx, c, `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: queue, namespace: %s}, spec: {
			minReplicas: 0, maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web},
			metrics: [{type: External, external: {metric: {name: queue}, target: {type: AverageValue, averageValue: "1"}}}],
			behavior: {scaleDown: {stabilizationWindowSeconds: 1}}}}`, ns)
		hpa := kit.Named("autoscaling/v2", "HorizontalPodAutoscaler", ns, "queue")
		deployment(ctx, ns, "web", 1, "", members...)
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(2)))
		loads[c.Name].queued.set(ns, 0)
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(0)))
		stays := func() {
			GinkgoHelper()
			Consistently(ctx, replicas(ctx, c, web(ns)), 3*sync).Should(Equal(int64(0)))
			Expect(autoscaling(ctx, federatedWeb(ns), c)()).To(HaveKeyWithValue("by", "HorizontalPodAutoscaler queue"))
		}
		stays()

		By("a change of the template")
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/template/spec/minReadySeconds", 1)
			kit.Set(u.Object, "/spec/template/spec/replicas", 3)
		})
		kit.ExpectField(ctx, c, web(ns), "/spec/minReadySeconds", 1)
		kit.ExpectField(ctx, members[1], web(ns), "/spec/replicas", 3)
		stays()

		By("somebody who takes a field away, which is repaired")
		kit.Change(ctx, c, web(ns), func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/minReadySeconds", 7) })
		kit.ExpectField(ctx, c, web(ns), "/spec/minReadySeconds", 1)
		stays()

		By("the controller starting anew")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		stays()

		By("something to do again, and nothing, when the autoscaler goes")
		loads[c.Name].queued.set(ns, 4)
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(4)))
		loads[c.Name].queued.set(ns, 0)
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(0)))
		Expect(c.Delete(ctx, hpa.Empty())).To(Succeed())
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(And(HaveKeyWithValue("replicas", "Kept"), HaveKeyWithValue("templateReplicas", int64(3))))
		Consistently(ctx, replicas(ctx, c, web(ns)), 3*sync).Should(Equal(int64(0)))
	})
})
