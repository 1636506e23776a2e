package e2e

import (
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const fieldManager = "fedctl"

// appliedEntry is what an object's managedFields say that a controller has applied.
func appliedEntry(g Gomega, u *unstructured.Unstructured) metav1.ManagedFieldsEntry {
	for _, e := range u.GetManagedFields() {
		if e.Manager == fieldManager && e.Operation == metav1.ManagedFieldsOperationApply {
			return e
		}
	}
	g.Expect(u.GetManagedFields()).To(BeEmpty(), "nothing was applied by "+fieldManager)
	return metav1.ManagedFieldsEntry{}
}

var _ = Describe("Another host that writes the same object", func() {
	It("is noticed also where it writes the same fields within the same second", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "shared", fields{"mode": "host"}).on(members[0]))
		expectSettled(ctx, f, members[0])
		try := 0
		Eventually(ctx, func(g Gomega) { // until both writes fall into one second
			try++
			value := strconv.Itoa(try)
			change(ctx, f, func(f *federated) { set(f.template(), "/data/mode", value) })
			var ours *unstructured.Unstructured
			Eventually(ctx, func() any {
				ours = found(ctx, members[0], f.target)
				return at(ours.Object, "/data/mode")
			}).WithPolling(10 * time.Millisecond).Should(Equal(value))
			theirs := &unstructured.Unstructured{Object: fields{"data": fields{"mode": "another host's"}}}
			theirs.SetGroupVersionKind(ours.GroupVersionKind())
			theirs.SetNamespace(ours.GetNamespace())
			theirs.SetName(ours.GetName())
			theirs.SetLabels(map[string]string{"kubefed.io/managed": "true"})
			g.Expect(members[0].Apply(ctx, client.ApplyConfigurationFromUnstructured(theirs), client.FieldOwner(fieldManager), client.ForceOwnership)).To(Succeed())
			g.Expect(theirs.GetResourceVersion()).NotTo(Equal(ours.GetResourceVersion()))
			g.Expect(appliedEntry(g, theirs)).To(Equal(appliedEntry(g, ours)))
		}).WithPolling(100 * time.Millisecond).Should(Succeed())
		expectField(ctx, members[0], f.target, "/data/mode", strconv.Itoa(try))
		expectSettled(ctx, f, members[0])
	}, NodeTimeout(5*time.Minute))
})
