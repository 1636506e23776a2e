package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// podTemplateOf is a federated PodTemplate, of a type that is not enabled by default.
func podTemplateOf(gvk schema.GroupVersionKind, namespace, name string) *federated {
	f := federate("PodTemplate", namespace, name, fields{"template": podTemplate()})
	f.SetGroupVersionKind(gvk)
	f.target.GroupVersionKind = schema.GroupVersionKind{Version: "v1", Kind: "PodTemplate"}
	return f
}

// The rights in a member are those of the types that were enabled when it joined.
var _ = Describe("A type that is enabled after the join", Serial, Ordered, func() {
	config := typeConfig("podtemplates")
	gvk := schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedPodTemplate"}

	BeforeAll(func(ctx SpecContext) {
		fedctl(ctx, "enable", "podtemplates")
		DeferCleanup(func(ctx SpecContext) {
			fedctl(ctx, "disable", "podtemplates", "--delete-crd")
		}, NodeTimeout(3*time.Minute))
		knows(ctx, host, gvk)
	}, NodeTimeout(3*time.Minute))

	It("says which members lack rights, and deletes what was never created there", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, podTemplateOf(gvk, ns, "late").on(members[0], members[1]))
		o := expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "CachedRetrievalFailed", members[1].Name: "CachedRetrievalFailed"})
		Expect(o.Messages[members[0].Name]).To(And(MatchRegexp(`cannot (list|watch) resource "podtemplates"`), ContainSubstring("fedctl join "+members[0].Name)))
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, config)
			g.Expect(err).NotTo(HaveOccurred())
			lacking := conditionOf(u, "MemberRights")
			g.Expect(lacking).To(And(HaveKeyWithValue("status", "False"), HaveKeyWithValue("reason", "RightsMissing")))
			g.Expect(lacking["message"]).To(And(ContainSubstring(members[0].Name), ContainSubstring("fedctl enable podtemplates --join")))
		}).Should(Succeed())

		remove(ctx, f)
	}, NodeTimeout(3*time.Minute))

	It("arrives when the members have been brought up to date with it", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, podTemplateOf(gvk, ns, "later").on(members[0]))
		expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "CachedRetrievalFailed"})
		out := fedctl(ctx, "enable", "podtemplates", "--join")
		for _, c := range members {
			Expect(out).To(MatchRegexp(c.Name + ": updated ClusterRole"))
		}
		expectSettled(ctx, f, members[0])
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, config)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, "MemberRights")).To(BeEmpty())
		}).Should(Succeed())
		Expect(fedctl(ctx, "enable", "podtemplates", "--join")).To(ContainSubstring(members[0].Name + ": up to date"))
		remove(ctx, f)
		expectMissing(ctx, members[0], f.target)
	}, NodeTimeout(5*time.Minute))
})

var _ = Describe("A federated type whose definition kubefedctl has replaced", Serial, func() {
	It("says what is lost, until it is enabled again", func(ctx SpecContext) {
		crd := ref{GroupVersionKind: schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, Name: "federatedconfigmaps.types.kubefed.io"}
		tamper(ctx, host, crd, func(u *unstructured.Unstructured) {
			version := at(u.Object, "/spec/versions/0").(fields)
			set(version, "/schema/openAPIV3Schema/properties/spec/properties/template", fields{"type": "object", "x-kubernetes-preserve-unknown-fields": true})
			set(version, "/schema/openAPIV3Schema/properties/status/properties/clusters/items/properties/message", nil)
		})
		DeferCleanup(func(ctx SpecContext) { fedctl(ctx, "enable", "configmaps") }, NodeTimeout(3*time.Minute))
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, typeConfig("configmaps"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, "FederatedDefinition")["message"]).To(And(ContainSubstring("messages in the status"), ContainSubstring("fedctl enable configmaps")))
		}).Should(Succeed())
		fedctl(ctx, "enable", "configmaps")
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, typeConfig("configmaps"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, "FederatedDefinition")).To(BeEmpty())
		}).Should(Succeed())
	}, NodeTimeout(3*time.Minute))
})
