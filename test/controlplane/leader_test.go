package controlplane

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("several controllers", Ordered, func() {
	It("elect a leader as the KubeFedConfig says, and another one takes over when it dies", func(ctx SpecContext) {
		settings := object("core.kubefed.io/v1beta1", "KubeFedConfig", teamA, "kubefed")
		patch := `{"spec":{"leaderElect":{"leaseDuration":"20s","renewDeadline":"16s","retryPeriod":"1s","resourceLock":"endpoints"}}}`
		Expect(host.Patch(ctx, settings, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
		first, second := prepare(ctx, "first", teamA), prepare(ctx, "other", teamA)
		Expect(first.Start(ctx)).To(Succeed())
		Expect(first.Series(ctx, "leader_election_master_status", map[string]string{"name": "fedctl-controller"})).To(ConsistOf(1.0), "the alert FedctlControllerDown goes by it")
		Expect(second.Launch()).To(Succeed())
		join(ctx, teamA, members...)
		Expect(host.Create(ctx, federatedConfigMap(teamA, "before"))).To(Succeed())
		Eventually(ctx, has(ctx, members[0], teamA, "before")).Should(Succeed())

		lease := &coordinationv1.Lease{}
		Expect(host.Get(ctx, client.ObjectKey{Namespace: teamA, Name: "fedctl-controller"}, lease)).To(Succeed())
		Expect(lease.Spec.LeaseDurationSeconds).To(HaveValue(BeEquivalentTo(20)))
		holder := *lease.Spec.HolderIdentity
		Eventually(ctx, func(g Gomega) {
			leads, err := second.Metric(ctx, "leader_election_master_status")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(leads).To(BeZero())
		}).Should(Succeed())
		Eventually(ctx, notes(ctx, settings)).Should(ContainElement(
			HavePrefix("WithoutEffect: spec.leaderElect.resourceLock has no effect: the controllers elect their leader by a Lease")))

		Expect(first.Kill(ctx)).To(Succeed())
		Expect(host.Create(ctx, federatedConfigMap(teamA, "after"))).To(Succeed())
		Eventually(ctx, has(ctx, members[0], teamA, "after")).Should(Succeed())
		Expect(host.Get(ctx, client.ObjectKeyFromObject(lease), lease)).To(Succeed())
		Expect(*lease.Spec.HolderIdentity).NotTo(Equal(holder))
		Expect(second.Stop(ctx)).To(Succeed())
	}, SpecTimeout(10*time.Minute))

	It("tell which changes of the KubeFedConfig take a restart", func(ctx SpecContext) {
		controller := prepare(ctx, "settings", teamB)
		Expect(controller.Start(ctx)).To(Succeed())
		settings := object("core.kubefed.io/v1beta1", "KubeFedConfig", teamB, "kubefed")
		patch := `{"spec":{"syncController":{"adoptResources":"Disabled"},"controllerDuration":{"cacheSyncTimeout":"1m"}}}`
		Expect(host.Patch(ctx, settings, client.RawPatch(types.MergePatchType, []byte(patch)))).To(Succeed())
		Eventually(ctx, notes(ctx, settings)).Should(ContainElements(
			HavePrefix("RestartNeeded: Controllers read settings when they start. Restart them for: spec.syncController.adoptResources (kubectl -n team-b"),
			HavePrefix("WithoutEffect: spec.controllerDuration.cacheSyncTimeout has no effect")))
		Expect(controller.Stop(ctx)).To(Succeed())
	}, SpecTimeout(5*time.Minute))
})
