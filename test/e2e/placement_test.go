package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

var _ = Describe("Placement", func() {
	It("takes names before the selector, [] for none and {} for all", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		first, second := members[0], members[1]

		By("naming a cluster although the selector takes all")
		f := configMap(ns, "named", fields{"a": "1"}).onLabelled(nil).onNames(first.Name)
		f.spec()["placement"].(fields)["clusterSelector"] = fields{} //nolint:forcetypeassert // made above
		create(ctx, f)
		expectSettled(ctx, f, first)
		expectMissing(ctx, second, f.target)

		By("naming no cluster although the selector takes all")
		change(ctx, f, func(f *federated) {
			f.spec()["placement"] = fields{"clusters": list{}, "clusterSelector": fields{}}
		})
		expectGone(ctx, first, f.target)
		expectSettled(ctx, f)

		By("selecting all")
		change(ctx, f, func(f *federated) { f.onLabelled(nil) })
		for _, c := range members {
			expectField(ctx, c, f.target, "/data/a", "1")
		}
		expectSettled(ctx, f, members...)

		By("leaving the placement out")
		change(ctx, f, func(f *federated) { delete(f.spec(), "placement") })
		for _, c := range members {
			expectGone(ctx, c, f.target)
		}
		expectSettled(ctx, f)
	})

	It("follows the labels of a cluster", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		label := "e2e/" + rand.String(6)
		f := create(ctx, configMap(ns, "labelled", fields{"a": "1"}).onLabelled(fields{label: "yes"}))
		expectSettled(ctx, f)

		relabel(ctx, members[1], label, "yes")
		DeferCleanup(func(ctx SpecContext) { relabel(ctx, members[1], label, "") })
		expectField(ctx, members[1], f.target, "/data/a", "1")
		expectSettled(ctx, f, members[1])

		relabel(ctx, members[1], label, "no")
		expectGone(ctx, members[1], f.target)
		expectSettled(ctx, f)
	})

	It("is bounded by that of the namespace", func(ctx SpecContext) {
		ns := plainNamespace(ctx)
		first, second := members[0], members[1]

		By("not having federated the namespace")
		f := create(ctx, configMap(ns, "bounded", fields{"a": "1"}).on(first, second))
		expectStatus(ctx, f, "NamespaceNotFederated", map[string]string{})
		expectMissing(ctx, first, f.target)

		By("federating it to one of the clusters")
		namespace := create(ctx, federate("Namespace", ns, ns, nil).on(first))
		expectField(ctx, first, f.target, "/data/a", "1")
		expectSettled(ctx, f, first)
		expectMissing(ctx, second, f.target)

		By("federating it to both")
		change(ctx, namespace, func(f *federated) { f.on(first, second) })
		expectField(ctx, second, f.target, "/data/a", "1")
		expectSettled(ctx, f, first, second)

		By("no longer federating it to the first")
		change(ctx, namespace, func(f *federated) { f.on(second) })
		expectGone(ctx, first, namespace.target)
		expectSettled(ctx, f, second)

		By("not federating it at all")
		remove(ctx, namespace)
		expectGone(ctx, second, namespace.target)
		expectStatus(ctx, f, "NamespaceNotFederated", map[string]string{})
	})

	It("reports a cluster that nobody knows, and serves the others", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, configMap(ns, "unknown", fields{"a": "1"}).onNames(members[0].Name, "atlantis"))
		expectSettled(ctx, f, members[0])
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			accepted := conditionOf(u, "Accepted")
			g.Expect(accepted).To(HaveKeyWithValue("status", "False"))
			g.Expect(accepted).To(HaveKeyWithValue("reason", "ClusterNotFound"))
			g.Expect(accepted).To(HaveKeyWithValue("message", And(ContainSubstring("atlantis"), ContainSubstring("spec.placement.clusters[1]"))))
		}).Should(Succeed())
		expectEvent(ctx, f, "PartlyIgnored", "atlantis", "spec.placement.clusters[1]")

		change(ctx, f, func(f *federated) { f.on(members[0]) })
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, "Accepted")).To(BeEmpty())
		}).Should(Succeed())
	})

	It("touches nothing on the strength of a selector that cannot be read", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, configMap(ns, "broken", fields{"a": "1"}).on(members[0]))
		expectSettled(ctx, f, members[0])
		change(ctx, f, func(f *federated) {
			f.spec()["placement"] = fields{"clusterSelector": fields{"matchLabels": fields{"a": "not a label!"}}}
		})
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(outcomeOf(u).Reason).To(Equal("ComputePlacementFailed"))
		}).Should(Succeed())
		expectField(ctx, members[0], f.target, "/data/a", "1")
	})
})

// relabel sets a label of a member's KubeFedCluster; "" removes it.
func relabel(ctx SpecContext, c *framework.Cluster, label, value string) {
	GinkgoHelper()
	tamper(ctx, host, ref{GroupVersionKind: framework.KubeFedCluster, Namespace: framework.KubeFedNamespace, Name: c.Name}, func(u *unstructured.Unstructured) {
		labels := u.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[label] = value
		if value == "" {
			delete(labels, label)
		}
		u.SetLabels(labels)
	})
}
