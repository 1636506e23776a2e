package servicecatalog

import (
	"encoding/base64"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// made is what a controller of claims does to one: it chooses how it is made where nobody has
// said that, notes what it has made, and says that it is ready.
func made(ctx SpecContext, c *framework.Cluster, claim kit.Ref) {
	GinkgoHelper()
	u := kit.Change(ctx, c, claim, func(u *unstructured.Unstructured) {
		if kit.At(u.Object, "/spec/compositionRef") == nil {
			kit.Set(u.Object, "/spec/compositionRef", kit.Fields{"name": "cloud"})
		}
		kit.Set(u.Object, "/spec/resourceRef", kit.Fields{"apiVersion": "platform.example.com/v1", "kind": "XDatabase", "name": claim.Name + "-x7k2p"})
		u.SetFinalizers([]string{"finalizer.apiextensions.crossplane.io"})
	})
	u.Object["status"] = kit.Fields{"conditions": kit.Values{
		kit.Fields{"type": "Synced", "status": "True"}, kit.Fields{"type": "Ready", "status": "True", "reason": "Available"},
	}}
	Expect(c.Status().Update(ctx, u)).To(Succeed())
}

var _ = Describe("A claim", func() {
	It("is federated the same way: overrides, what its controller writes, deletion", func(ctx SpecContext) {
		ns := namespace(ctx)
		orders := federated(ctx, "claims/database.yaml", ns)[0]
		claim := kit.Named("platform.example.com/v1", "Database", ns, "orders")
		first, second := members[0], members[1]
		kit.ExpectField(ctx, first, claim, "/spec/parameters", kit.Fields{"size": "20Gi", "version": "17", "instances": 1})
		kit.ExpectField(ctx, second, claim, "/spec/parameters", kit.Fields{"size": "200Gi", "version": "17", "instances": 3})
		for _, c := range members {
			made(ctx, c, claim)
		}
		expectReady(ctx, orders)
		Eventually(ctx, saidOf(ctx, orders, first)).Should(HaveKeyWithValue("remoteStatus", HaveKey("conditions")))

		By("naming a composition for one cluster, and not any more: its controller chooses anew")
		override := func(value any) {
			GinkgoHelper()
			kit.Change(ctx, host, orders, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/overrides", value) })
		}
		override(kit.Values{kit.Fields{"clusterName": first.Name, "clusterOverrides": kit.Values{
			kit.Fields{"op": "add", "path": "/spec/compositionRef", "value": kit.Fields{"name": "on-premises"}},
		}}})
		kit.ExpectField(ctx, first, claim, "/spec/compositionRef/name", "on-premises")
		kit.ExpectField(ctx, second, claim, "/spec/compositionRef/name", "cloud")
		kit.ExpectField(ctx, second, claim, "/spec/parameters", kit.Fields{"size": "20Gi", "version": "17", "instances": 1})
		override(nil)
		kit.ExpectField(ctx, first, claim, "/spec/compositionRef", nil)
		made(ctx, first, claim)
		expectReady(ctx, orders)
		kit.ExpectField(ctx, first, claim, "/spec/compositionRef/name", "cloud")
		kit.ExpectField(ctx, first, claim, "/spec/resourceRef/name", "orders-x7k2p")

		By("deleting it, which waits for the controllers")
		Expect(host.Delete(ctx, orders.Empty())).To(Succeed())
		for _, c := range members {
			Eventually(ctx, saidOf(ctx, orders, c)).Should(HaveKeyWithValue("status", "WaitingForRemoval"))
			kit.Change(ctx, c, claim, func(u *unstructured.Unstructured) { u.SetFinalizers(nil) })
			kit.ExpectGone(ctx, c, claim)
		}
		kit.ExpectGone(ctx, host, orders)
	})
})
