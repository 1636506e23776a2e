package servicecatalog

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/kit"
)

// The plans of the test-broker's service with several plans.
const (
	defaultPlan = "06576262-f0d5-11e8-83eb-54ee754ec85f"
	premiumPlan = "e251a5bb-3266-4391-bdde-be9e87bffe2f"
)

var _ = Describe("A FederatedServiceInstance and a FederatedServiceBinding", func() {
	It("are provisioned and bound in each member, with the plan and the parameters of its overrides", func(ctx SpecContext) {
		ns, _, _ := bound(ctx)
		for i, want := range []struct{ plan, host string }{{defaultPlan, "database.example.com"}, {premiumPlan, "database-2.example.com"}} {
			c := members[i]
			id := externalID(ctx, c, ns)
			Expect(brokers[c.Name].of(id)).To(Equal([]string{"provision", "bind"}))
			kit.ExpectField(ctx, c, serviceInstance(ns), "/status/externalProperties/clusterServicePlanExternalID", want.plan)
			Expect(kit.At(kit.Found(ctx, c, credentials(ns)).Object, "/data/host")).To(Equal(inBase64(want.host)))
		}
		Expect(externalID(ctx, members[0], ns)).NotTo(Equal(externalID(ctx, members[1], ns)))
	})

	It("leave alone what members write: spec, status, Secrets, also after a restart", Serial, func(ctx SpecContext) {
		ns, instance, binding := bound(ctx)
		c := members[1]
		before := map[kit.Ref]string{}
		theirs := []kit.Ref{serviceInstance(ns), serviceBinding(ns), credentials(ns)}
		for _, r := range theirs {
			before[r] = kit.Found(ctx, c, r).GetResourceVersion()
		}
		written := applies(ctx, c)
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		expectReady(ctx, instance)
		expectReady(ctx, binding)
		Consistently(ctx, func(g Gomega) {
			for _, r := range theirs {
				g.Expect(kit.Found(ctx, c, r).GetResourceVersion()).To(Equal(before[r]), "%s", r)
			}
		}).Should(Succeed())
		Expect(applies(ctx, c).Since(written)).To(BeEmpty())

		By("changing the template, and nothing of theirs")
		kept := kit.Found(ctx, c, serviceInstance(ns))
		kit.Change(ctx, host, instance, func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/template/spec/parameters/credentials/user", "other")
		})
		for _, c := range members {
			kit.ExpectField(ctx, c, serviceInstance(ns), "/status/externalProperties/parameters/credentials/user", "other")
			Expect(brokers[c.Name].of(externalID(ctx, c, ns))).To(Equal([]string{"provision", "bind", "update"}))
		}
		now := kit.Found(ctx, c, serviceInstance(ns))
		for _, field := range []string{"/spec/externalID", "/spec/clusterServiceClassRef", "/spec/clusterServicePlanRef", "/metadata/finalizers"} {
			Expect(kit.At(now.Object, field)).To(Equal(kit.At(kept.Object, field)), field)
		}
	})

	It("have another plan where an override changes it, and the template's where it goes", func(ctx SpecContext) {
		ns, instance, _ := bound(ctx)
		c := members[1]
		id := externalID(ctx, c, ns)
		kit.Change(ctx, host, instance, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/overrides", nil) })
		kit.ExpectField(ctx, c, serviceInstance(ns), "/status/externalProperties/clusterServicePlanExternalID", defaultPlan)
		Expect(brokers[c.Name].plan(id)).To(Equal(defaultPlan))
		kit.ExpectField(ctx, c, serviceInstance(ns), "/spec/clusterServicePlanRef/name", defaultPlan)

		By("naming what the member's controller chooses otherwise, in an override")
		override := func(value any) {
			GinkgoHelper()
			kit.Change(ctx, host, instance, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/overrides", value) })
		}
		override(kit.Values{kit.Fields{"clusterName": c.Name, "clusterOverrides": kit.Values{
			kit.Fields{"op": "add", "path": "/spec/updateRequests", "value": 2},
			kit.Fields{"path": "/spec/clusterServicePlanExternalName", "value": "premium"},
		}}})
		kit.ExpectField(ctx, c, serviceInstance(ns), "/status/externalProperties/clusterServicePlanExternalID", premiumPlan)
		kit.ExpectField(ctx, c, serviceInstance(ns), "/spec/updateRequests", 2)
		override(nil)
		kit.ExpectField(ctx, c, serviceInstance(ns), "/spec/updateRequests", nil)
		Expect(externalID(ctx, c, ns)).To(Equal(id))
		expectReady(ctx, instance)
	})

	It("say of a binding that members keep it as it was", func(ctx SpecContext) {
		ns, _, binding := bound(ctx)
		kit.Change(ctx, host, binding, func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/template/spec/secretName", "elsewhere")
		})
		for _, c := range members {
			Eventually(ctx, saidOf(ctx, binding, c)).Should(And(
				HaveKeyWithValue("status", "UpdateFailed"), HaveKeyWithValue("message", And(ContainSubstring("spec.secretName"), ContainSubstring("database-credentials")))))
			kit.ExpectField(ctx, c, serviceBinding(ns), "/spec/secretName", "database-credentials")
		}
		By("as it was in the template, too, and all is well")
		kit.Change(ctx, host, binding, func(u *unstructured.Unstructured) {
			kit.Set(u.Object, "/spec/template/spec/secretName", "database-credentials")
		})
		expectReady(ctx, binding)
	})
})

var _ = Describe("A deletion", func() {
	// ended says what the brokers were asked for at the end, in each member.
	expectEnded := func(ctx SpecContext, ns string, ids map[string]string) {
		GinkgoHelper()
		for _, c := range members {
			kit.ExpectGone(ctx, c, serviceInstance(ns))
			kit.ExpectGone(ctx, c, serviceBinding(ns))
			kit.ExpectGone(ctx, c, credentials(ns))
			Expect(brokers[c.Name].of(ids[c.Name])).To(Equal([]string{"provision", "bind", "unbind", "deprovision"}), c.Name)
		}
	}
	idsIn := func(ctx SpecContext, ns string) map[string]string {
		GinkgoHelper()
		ids := map[string]string{}
		for _, c := range members {
			ids[c.Name] = externalID(ctx, c, ns)
		}
		return ids
	}

	It("of the instance waits for that of the binding, and says for what", func(ctx SpecContext) {
		ns, instance, binding := bound(ctx)
		ids := idsIn(ctx, ns)
		Expect(host.Delete(ctx, instance.Empty())).To(Succeed())
		for _, c := range members {
			kit.ExpectField(ctx, c, serviceInstance(ns), "/status/lastConditionState", "DeprovisionBlockedByExistingCredentials")
			Eventually(ctx, saidOf(ctx, instance, c)).Should(HaveKeyWithValue("status", "WaitingForRemoval"))
			kit.ExpectField(ctx, c, credentials(ns), "/data/user", "ZGVtbw==")
		}
		Consistently(ctx, func() error { _, err := kit.Read(ctx, host, instance); return err }).Should(Succeed())
		Expect(host.Delete(ctx, binding.Empty())).To(Succeed())
		kit.ExpectGone(ctx, host, instance)
		kit.ExpectGone(ctx, host, binding)
		expectEnded(ctx, ns, ids)
	})

	It("of the binding first needs no waiting", func(ctx SpecContext) {
		ns, instance, binding := bound(ctx)
		ids := idsIn(ctx, ns)
		for _, r := range []kit.Ref{binding, instance} {
			Expect(host.Delete(ctx, r.Empty())).To(Succeed())
			kit.ExpectGone(ctx, host, r)
		}
		expectEnded(ctx, ns, ids)
	})

	It("of the host's namespace takes both, in the right order, in each member", func(ctx SpecContext) {
		ns, instance, binding := bound(ctx)
		ids := idsIn(ctx, ns)
		Expect(host.Delete(ctx, kit.Named("v1", "Namespace", "", ns).Empty())).To(Succeed())
		kit.ExpectGone(ctx, host, instance)
		kit.ExpectGone(ctx, host, binding)
		expectEnded(ctx, ns, ids)
		for _, c := range members {
			kit.ExpectGone(ctx, c, kit.Named("v1", "Namespace", "", ns))
		}
	})

	It("waits for a broker that is down, in that member alone", Serial, func(ctx SpecContext) {
		ns, instance, binding := bound(ctx)
		ids := idsIn(ctx, ns)
		down, up := members[0], members[1]
		brokers[down.Name].set(true)
		DeferCleanup(func() { brokers[down.Name].set(false) })
		for _, r := range []kit.Ref{instance, binding} {
			Expect(host.Delete(ctx, r.Empty())).To(Succeed())
		}
		kit.ExpectGone(ctx, up, serviceInstance(ns))
		Eventually(ctx, saidOf(ctx, instance, down)).Should(HaveKeyWithValue("status", "WaitingForRemoval"))
		Eventually(ctx, saidOf(ctx, instance, up)).Should(BeNil())
		brokers[down.Name].set(false)
		kit.ExpectGone(ctx, host, instance)
		kit.ExpectGone(ctx, host, binding)
		expectEnded(ctx, ns, ids)
	})

	It("in one member, which leaves the placement, unbinds and deprovisions there alone", func(ctx SpecContext) {
		ns, instance, binding := bound(ctx)
		ids := idsIn(ctx, ns)
		left, stays := members[0], members[1]
		for _, r := range []kit.Ref{instance, binding} {
			kit.Change(ctx, host, r, func(u *unstructured.Unstructured) {
				kit.Set(u.Object, "/spec/placement", kit.Fields{"clusters": kit.Values{kit.Fields{"name": stays.Name}}})
			})
		}
		for _, r := range []kit.Ref{serviceInstance(ns), serviceBinding(ns), credentials(ns)} {
			kit.ExpectGone(ctx, left, r)
		}
		Expect(brokers[left.Name].of(ids[left.Name])).To(Equal([]string{"provision", "bind", "unbind", "deprovision"}))
		Consistently(ctx, func() []string { return brokers[stays.Name].of(ids[stays.Name]) }, time.Second).Should(Equal([]string{"provision", "bind"}))

		By("coming back, where it is another one")
		for _, r := range []kit.Ref{instance, binding} {
			kit.Change(ctx, host, r, func(u *unstructured.Unstructured) {
				kit.Set(u.Object, "/spec/placement", kit.Fields{"clusterSelector": kit.Fields{}})
			})
		}
		kit.ExpectField(ctx, left, credentials(ns), "/data/user", "ZGVtbw==")
		Expect(externalID(ctx, left, ns)).NotTo(Equal(ids[left.Name]))
		expectReady(ctx, binding)
	})
})
