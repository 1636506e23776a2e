package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var _ = Describe("Fields that the clusters do not know", func() {
	It("are left out and named, and the rest arrives", func(ctx SpecContext) {
		template := fields{"data": fields{"a": "1", "b": "1"}, "spec": fields{}}
		f := federate("ConfigMap", federatedNamespace(ctx), "unknown", template).on(members[0], members[1]).
			override(members[1].Name, fields{"op": "add", "path": "/immutible", "value": true})
		f = create(ctx, f)
		expectField(ctx, members[0], f.target, "/data/a", "1")
		expectField(ctx, members[1], f.target, "/data/a", "1")
		expectSettled(ctx, f, members[0], members[1])
		Expect(conditionOf(found(ctx, host, f.ref()), "Accepted")).To(And(
			HaveKeyWithValue("status", "False"), HaveKeyWithValue("reason", "UnknownFields"),
			HaveKeyWithValue("message", And(ContainSubstring("left out: spec"), ContainSubstring(members[1].Name+" are left out: immutible")))))

		expectEvent(ctx, f, "PartlyIgnored", "left out: spec", "immutible")

		By("changing it")
		change(ctx, f, func(f *federated) { f.template()["data"] = fields{"a": "2"} })
		expectField(ctx, members[0], f.target, "/data", fields{"a": "2"})
		expectSettled(ctx, f, members[0], members[1])

		By("drifting")
		tamper(ctx, members[0], f.target, func(u *unstructured.Unstructured) { set(u.Object, "/data/a", "drifted") })
		expectField(ctx, members[0], f.target, "/data/a", "2")

		By("mending it")
		change(ctx, f, func(f *federated) {
			delete(f.template(), "spec")
			delete(f.spec(), "overrides")
		})
		Eventually(ctx, func(g Gomega) {
			g.Expect(conditionOf(found(ctx, host, f.ref()), "Accepted")).To(BeEmpty())
		}).Should(Succeed())
	}, NodeTimeout(5*time.Minute))

	It("are written as soon as a cluster knows them, though nothing else changes", localOnly, func(ctx SpecContext) {
		kind, definition := inMembers(ctx, "Learned", knowsSize)
		f := federateKind(kind, federatedNamespace(ctx), "w", fields{"spec": fields{"size": 1, "extra": "keep"}}).on(members[0])
		knows(ctx, host, f.GroupVersionKind())
		create(ctx, f)
		expectSettled(ctx, f, members[0])
		Expect(conditionOf(found(ctx, host, f.ref()), "Accepted")).To(HaveKeyWithValue("reason", "UnknownFields"))
		Expect(at(found(ctx, members[0], f.target).Object, "/spec/extra")).To(BeNil())

		tamper(ctx, members[0], definition, func(u *unstructured.Unstructured) {
			versions := at(u.Object, "/spec/versions").([]any)
			set(versions[0].(fields), "/schema/openAPIV3Schema/properties/spec/properties/extra", fields{"type": "string"})
		})
		expectField(ctx, members[0], f.target, "/spec/extra", "keep")
		Eventually(ctx, func(g Gomega) {
			g.Expect(conditionOf(found(ctx, host, f.ref()), "Accepted")).To(BeEmpty())
		}).Should(Succeed())
		remove(ctx, f)
	}, NodeTimeout(6*time.Minute))
})

// knowsSize is a definition whose objects have a size, and nothing else.
const knowsSize = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: %[1]s, kind: %[2]s}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}
`
