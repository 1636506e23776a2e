package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// typeConfig names the FederatedTypeConfig of a target, such as deployments.apps.
func typeConfig(name string) ref {
	return ref{
		GroupVersionKind: schema.GroupVersionKind{Group: "core.kubefed.io", Version: "v1beta1", Kind: "FederatedTypeConfig"},
		Namespace:        framework.KubeFedNamespace, Name: name,
	}
}

// configure sets a field of a FederatedTypeConfig's spec.
func configure(ctx SpecContext, name, field string, value any) {
	GinkgoHelper()
	tamper(ctx, host, typeConfig(name), func(u *unstructured.Unstructured) { set(u.Object, "/spec/"+field, value) })
}

// remoteOf is what the status has collected from a member.
func remoteOf(u *unstructured.Unstructured, member string) any {
	clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
	for _, item := range clusters {
		if c, ok := item.(fields); ok && c["name"] == member {
			return c["remoteStatus"]
		}
	}
	return nil
}

var _ = Describe("Status collection", func() {
	It("is switched on and off at run time", Serial, func(ctx SpecContext) {
		f := federate("Deployment", federatedNamespace(ctx), "collected", workload(fields{"replicas": 1})).on(members[0], members[1])
		f.override(members[1].Name, patch("", "/spec/replicas", 2))
		create(ctx, f)
		expectSettled(ctx, f, members[0], members[1])
		Expect(remoteOf(found(ctx, host, f.ref()), members[0].Name)).To(BeNil())

		By("switching it on")
		configure(ctx, "deployments.apps", "statusCollection", "Enabled")
		DeferCleanup(func(ctx SpecContext) { configure(ctx, "deployments.apps", "statusCollection", "Disabled") })
		expectCollected := func(ready ...int64) {
			GinkgoHelper()
			Eventually(ctx, func(g Gomega) {
				u, err := read(ctx, host, f.ref())
				g.Expect(err).NotTo(HaveOccurred())
				for i, n := range ready {
					g.Expect(at(remoteOf(u, members[i].Name), "/readyReplicas")).To(Equal(n), members[i].Name)
				}
			}).Should(Succeed())
		}
		expectCollected(1, 2)
		expectSettled(ctx, f, members[0], members[1])

		By("following the members")
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/replicas", 3) })
		expectCollected(3, 2)

		By("switching it off")
		configure(ctx, "deployments.apps", "statusCollection", "Disabled")
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(remoteOf(u, members[0].Name)).To(BeNil())
		}).Should(Succeed())
		expectSettled(ctx, f, members[0], members[1])
	})
})
