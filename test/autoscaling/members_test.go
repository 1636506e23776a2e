package autoscaling

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/kit"
)

// scaledObjects is the definition of KEDA's kind, as far as it matters here.
const scaledObjects = `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: scaledobjects.keda.sh}, spec: {
	group: keda.sh, scope: Namespaced, names: {kind: ScaledObject, plural: scaledobjects, singular: scaledobject},
	versions: [{name: v1alpha1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}}`

// scale sets the replicas through the subresource, as whoever scales does.
func scale(ctx SpecContext, on client.Client, r kit.Ref, replicas int) {
	GinkgoHelper()
	body := kit.Parse(fmt.Sprintf(`{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: %s, namespace: %s}, spec: {replicas: %d}}`, r.Name, r.Namespace, replicas))
	Eventually(ctx, func() error {
		return on.SubResource("scale").Update(ctx, r.Empty(), client.WithSubResourceBody(body.DeepCopy()))
	}).Should(Succeed())
}

var _ = Describe("A member's own autoscaler", func() {
	It("has the replicas also where it was there before the workload, in that member alone", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		scaled, other := members[0], members[1]
		loads[scaled.Name].set(ns, 150)
		kit.ExpectField(ctx, scaled, kit.Named("v1", "Namespace", "", ns), "/status/phase", "Active")
		hpa := autoscalerIn(ctx, scaled, ns, "theirs")
		deployment(ctx, ns, "web", 1, `fedctl.io/replicas-after-autoscaler: Template`, members...)
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), scaled)).Should(HaveKeyWithValue("by", "HorizontalPodAutoscaler theirs"))
		Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(3)))
		Expect(autoscaling(ctx, federatedWeb(ns), other)()).To(BeEmpty())

		By("a second one, which fights with the first, but not with the federation")
		second := autoscalerIn(ctx, scaled, ns, "second")
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), scaled)).Should(HaveKeyWithValue("by", "HorizontalPodAutoscaler second, HorizontalPodAutoscaler theirs"))
		Expect(scaled.Delete(ctx, second.Empty())).To(Succeed())
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), scaled)).Should(HaveKeyWithValue("by", "HorizontalPodAutoscaler theirs"))

		By("what is scaled by hand elsewhere, which is put right")
		scale(ctx, other, web(ns), 4)
		Eventually(ctx, replicas(ctx, other, web(ns))).Should(Equal(int64(1)))

		By("another target, and the template's number comes back as the annotation has it")
		kit.Change(ctx, scaled, hpa, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/scaleTargetRef/name", "another") })
		Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(1)))
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), scaled)).Should(BeEmpty())
	})

	It("may be KEDA's", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[0]
		deployment(ctx, ns, "web", 2, "", c)
		kit.ExpectField(ctx, c, web(ns), "/spec/replicas", 2)
		definition := createIn(ctx, c, scaledObjects)
		DeferCleanup(func(ctx SpecContext) { Expect(c.Delete(ctx, definition)).To(Succeed()) })
		keda := kit.Named("keda.sh/v1alpha1", "ScaledObject", ns, "queue")
		Eventually(ctx, func() error {
			return c.Create(ctx, kit.Parse(fmt.Sprintf(`{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: queue, namespace: %s}, spec: {scaleTargetRef: {name: web}}}`, ns)))
		}).Should(Succeed())
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("by", "ScaledObject queue"))
		scale(ctx, c, web(ns), 0)
		Consistently(ctx, replicas(ctx, c, web(ns)), 3*time.Second).Should(Equal(int64(0)))

		By("going, with the last number staying")
		Expect(c.Delete(ctx, keda.Empty())).To(Succeed())
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("replicas", "Kept"))
		Consistently(ctx, replicas(ctx, c, web(ns)), 2*time.Second).Should(Equal(int64(0)))
	})

	It("counts in a preference, which shares out the rest", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		scaled, other := members[0], members[1]
		loads[scaled.Name].set(ns, 100)
		deployment(ctx, ns, "web", 1, "", members...)
		createIn(ctx, host, `{apiVersion: scheduling.kubefed.io/v1alpha1, kind: ReplicaSchedulingPreference, metadata: {name: web, namespace: %s},
			spec: {targetKind: FederatedDeployment, totalReplicas: 8, rebalance: true}}`, ns)
		for _, c := range members {
			kit.ExpectField(ctx, c, web(ns), "/status/readyReplicas", 4)
		}
		autoscalerIn(ctx, scaled, ns, "web")
		Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(2)))
		Eventually(ctx, replicas(ctx, other, web(ns))).Should(Equal(int64(6)))
		loads[scaled.Name].set(ns, 250)
		Eventually(ctx, replicas(ctx, scaled, web(ns))).Should(Equal(int64(5)))
		Eventually(ctx, replicas(ctx, other, web(ns))).Should(Equal(int64(3)))
	})
})

var _ = Describe("A member whose autoscalers cannot be read", Serial, func() {
	It("keeps the number that somebody has set there, and says so", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[0]
		deployment(ctx, ns, "web", 2, "", c)
		kit.ExpectField(ctx, c, web(ns), "/spec/replicas", 2)

		By("taking the right away, and starting the controller anew")
		role := &rbacv1.ClusterRole{}
		name := client.ObjectKey{Name: "kubefed-controller-manager:" + c.Name + "-" + host.Name}
		Expect(c.Get(ctx, name, role)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Join(ctx, c.Name)).To(Succeed()) })
		var rules []rbacv1.PolicyRule
		for _, rule := range role.Rules {
			if rule.APIGroups == nil || rule.APIGroups[0] != "autoscaling" {
				rules = append(rules, rule)
			}
		}
		role.Rules = rules
		Expect(c.Update(ctx, role)).To(Succeed())
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		scale(ctx, c, web(ns), 5)
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(And(
			HaveKeyWithValue("replicas", "Unreadable"), HaveKeyWithValue("message", ContainSubstring("fedctl join "+c.Name))))
		Expect(replicas(ctx, c, web(ns))()).To(Equal(int64(5)))

		By("giving it back, and there is no autoscaler")
		Expect(system.Join(ctx, c.Name)).To(Succeed())
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(2)))
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(BeEmpty())
	})
})

var _ = Describe("A member that was away", Serial, func() {
	It("has the number of its autoscaler when it is back, also after a restart of the controller", func(ctx SpecContext) {
		ns := federatedNamespace(ctx, members...)
		c := members[1]
		loads[c.Name].set(ns, 150)
		deployment(ctx, ns, "web", 1, "", members...)
		kit.ExpectField(ctx, c, web(ns), "/status/readyReplicas", 1)
		hpa := autoscalerIn(ctx, c, ns, "web")
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(3)))
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("replicas", "Autoscaled"))
		before := quiet(ctx, c)

		Expect(system.Controller.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			if !system.Controller.Running() {
				Expect(system.Controller.Start(ctx)).To(Succeed())
			}
		})
		By("the load and the autoscaler changing meanwhile")
		loads[c.Name].set(ns, 200)
		Eventually(ctx, replicas(ctx, c, web(ns))).Should(Equal(int64(4)))
		Expect(c.Delete(ctx, hpa.Empty())).To(Succeed())
		Expect(system.Controller.Start(ctx)).To(Succeed())
		Eventually(ctx, autoscaling(ctx, federatedWeb(ns), c)).Should(HaveKeyWithValue("replicas", "Kept"))
		Consistently(ctx, replicas(ctx, c, web(ns)), 3*time.Second).Should(Equal(int64(4)))
		Expect(applies(ctx, c).Since(before)).To(BeEmpty())

		By("leaving the federation, which leaves the number")
		kit.Change(ctx, host, federatedWeb(ns), func(u *unstructured.Unstructured) {
			u.SetAnnotations(map[string]string{"kubefed.io/orphan": "true"})
		})
		Expect(host.Delete(ctx, federatedWeb(ns).Empty())).To(Succeed())
		kit.ExpectField(ctx, c, web(ns), "/metadata/labels", nil)
		Expect(replicas(ctx, c, web(ns))()).To(Equal(int64(4)))
	})
})
