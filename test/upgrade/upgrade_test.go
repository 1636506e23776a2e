package upgrade

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/kit"
)

// works changes something that is federated: the controller that runs brings it to all members.
func works(ctx context.Context, release string) {
	GinkgoHelper()
	kit.Change(ctx, host, kit.Named(federatedAPI, "FederatedConfigMap", "shop", "canary"), func(u *unstructured.Unstructured) {
		kit.Set(u.Object, "/spec/template/data/release", release)
	})
	for _, c := range members {
		kit.ExpectField(ctx, c, kit.Named("v1", "ConfigMap", "shop", "canary"), "/data/release", release)
	}
}

var _ = Describe("A control plane", Ordered, func() {
	var before map[string]string

	// unchanged expects the members as they were, when the controller has looked at all.
	unchanged := func(ctx context.Context, release string) {
		GinkgoHelper()
		works(ctx, release)
		expectAllDone(ctx, release)
		Consistently(ctx, func() map[string]string { return snapshot(ctx) }).Should(Equal(before))
	}

	It("of the previous release federates every default type", func(ctx SpecContext) {
		changeTo(ctx, previous)
		for _, c := range members {
			_, err := previous.Run(ctx, "join", c.Name, "--cluster-context", c.Name)
			Expect(err).NotTo(HaveOccurred())
			Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		}
		types := defaultTypes(ctx)
		manifests = manifestsFor(types)
		kinds := map[string]bool{}
		for _, of := range federated() {
			kinds[of.Kind] = true
		}
		for kind := range types {
			Expect(kinds).To(HaveKey(kind), "the world has nothing of a default type")
		}
		kit.Create(ctx, host, manifests)
		expectAllDone(ctx, "first")
		for _, c := range members {
			for _, name := range []string{"web", "spread"} {
				kit.ExpectField(ctx, c, kit.Named("apps/v1", "Deployment", "shop", name), "/status/readyReplicas", 2)
			}
			kit.ExpectField(ctx, c, kit.Named("apps/v1", "ReplicaSet", "shop", "bare"), "/status/readyReplicas", 1)
			kit.ExpectField(ctx, c, kit.Named("batch/v1", "Job", "shop", "stays"), "/status/succeeded", 1)
		}
		By("with members whose own controllers have come to rest")
		Eventually(ctx, func() bool {
			last := before
			before = snapshot(ctx)
			equal, err := Equal(last).Match(before)
			return err == nil && equal
		}, 2*time.Minute, 5*time.Second).Should(BeTrue())
		Expect(before).To(HaveKey("member-1 Ingress shop/web"))
	}, SpecTimeout(10*time.Minute))

	It("is upgraded without a change in any member", func(ctx SpecContext) {
		changeTo(ctx, current)
		unchanged(ctx, "current")
	}, SpecTimeout(10*time.Minute))

	It("is downgraded without a change in any member", func(ctx SpecContext) {
		changeTo(ctx, previous)
		unchanged(ctx, "previous")
	}, SpecTimeout(10*time.Minute))

	It("is upgraded once more, with what both releases have left", func(ctx SpecContext) {
		changeTo(ctx, current)
		unchanged(ctx, "again")
	}, SpecTimeout(10*time.Minute))
})
