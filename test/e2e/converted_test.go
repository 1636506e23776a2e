package e2e

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// storedAsV2 is a definition whose objects are kept in another version than the one that is
// federated: each read and each write converts.
const storedAsV2 = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: %[1]s, kind: %[2]s}
  versions:
  - {name: v1, served: true, storage: false, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
  - {name: v2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`

// inMembers has the members know a custom kind of its own for a spec, by a definition of which
// the plural and the kind are left out, and the host federate it by hand. It returns the kind
// and which definition it is.
func inMembers(ctx SpecContext, name, manifestOf string) (kind schema.GroupVersionKind, definition ref) {
	GinkgoHelper()
	kind = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: name + rand.String(5)}
	plural := strings.ToLower(kind.Kind) + "s"
	for _, c := range members {
		manifest(ctx, c, manifestOf, plural, kind.Kind)
		knows(ctx, c, kind)
	}
	manifest(ctx, host, anyFields, "federated"+plural, "Federated"+kind.Kind, "types.kubefed.io", "v1beta1")
	manifest(ctx, host, handwrittenTypeConfig, plural+".example.com", framework.KubeFedNamespace, kind.Kind, "example.com", plural)
	for _, c := range members {
		Expect(system.Join(ctx, c.Name)).To(Succeed())
	}
	return kind, ref{GroupVersionKind: schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}, Name: plural + ".example.com"}
}

var _ = Describe("A member whose conversion webhook fails", localOnly, func() {
	It("is said, holds nobody else up, and goes on where it was", func(ctx SpecContext) {
		kind, definition := inMembers(ctx, "Converted", storedAsV2)
		ns := federatedNamespace(ctx)
		f := federateKind(kind, ns, "kept", fields{"spec": fields{"size": 1}}).on(members[0], members[1])
		knows(ctx, host, f.GroupVersionKind())
		create(ctx, f)
		gone := create(ctx, federateKind(kind, ns, "gone", fields{"spec": fields{"size": 1}}).on(members[0]))
		expectSettled(ctx, f, members[0], members[1])
		expectSettled(ctx, gone, members[0])
		there := found(ctx, members[0], f.target)

		By("having the webhook fail")
		convert := func(ctx SpecContext, by fields) {
			GinkgoHelper()
			tamper(ctx, members[0], definition, func(u *unstructured.Unstructured) { set(u.Object, "/spec/conversion", by) })
		}
		convert(ctx, fields{"strategy": "Webhook", "webhook": fields{
			"conversionReviewVersions": list{"v1"}, "clientConfig": fields{"url": "https://127.0.0.1:1/convert"},
		}})
		DeferCleanup(func(ctx SpecContext) { convert(ctx, fields{"strategy": "None"}) })
		expectWord(ctx, f, members[0], "CachedRetrievalFailed", "conversion webhook")
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/size", 2) })
		expectField(ctx, members[1], f.target, "/spec/size", 2)
		Expect(host.Delete(ctx, gone.Unstructured)).To(Succeed())
		expectWord(ctx, gone, members[0], "CachedRetrievalFailed", "conversion webhook")

		By("mending it")
		convert(ctx, fields{"strategy": "None"})
		expectField(ctx, members[0], f.target, "/spec/size", 2)
		expectSettled(ctx, f, members[0], members[1])
		Expect(found(ctx, members[0], f.target).GetUID()).To(Equal(there.GetUID()))
		expectGone(ctx, host, gone.ref())
		expectMissing(ctx, members[0], gone.target)
		remove(ctx, f)
	}, NodeTimeout(3*time.Minute))
})
