package hostile_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/hostile"
	"github.com/fedctl/fedctl/test/kit"
)

var _ = Describe("A member that becomes another one in the middle", func() {
	// becomes has a member that is served turn into another, and looks that nothing is
	// changed or deleted there from when that is known, until it is itself again.
	becomes := func(ctx SpecContext, name string, another, itself func(*enemy), reason, word string) {
		e := enlist(ctx, name, configMaps, hostile.Harmless)
		ready(ctx, e)
		extra := everywhere("FederatedConfigMap", name, kit.Fields{"data": kit.Fields{"a": "1"}})
		of := kit.Named(typesGroup, "FederatedConfigMap", ns, name)
		Expect(host.Create(ctx, extra)).To(Succeed())
		Eventually(ctx, e.verdict).WithArguments(of).Should(understood)
		Eventually(ctx, e.verdict).WithArguments(settings).Should(understood)

		another(e)
		Expect(system.WaitForMember(ctx, e.name, false)).To(Succeed())
		Eventually(ctx, e.says).Should(ContainSubstring(reason))
		written := e.Written()
		kit.Change(ctx, host, of, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/template/data/a", "2") })
		kit.ExpectField(ctx, good, kit.Named("v1", "ConfigMap", ns, name), "/data/a", "2")
		Expect(host.Delete(ctx, extra)).To(Succeed())
		kit.ExpectGone(ctx, good, kit.Named("v1", "ConfigMap", ns, name))
		isServed(ctx)
		Eventually(ctx, e.verdict).WithArguments(of).Should(HavePrefix(word))
		Consistently(ctx, e.Written).Should(Equal(written))
		Expect(kit.Found(ctx, host, of).GetDeletionTimestamp()).NotTo(BeNil(), "the deletion was taken for done")

		itself(e)
		Expect(system.WaitForMember(ctx, e.name, true)).To(Succeed())
		Eventually(ctx, e.verdict).WithArguments(settings).Should(understood)
		kit.ExpectGone(ctx, host, of)
	}

	It("by its UID is a stranger, and nothing is changed there", func(ctx SpecContext) {
		becomes(ctx, "renamed", func(e *enemy) { e.SetUID("another") }, func(e *enemy) { e.SetUID(e.name) },
			"is another cluster (another) than the one that joined (renamed)", "WaitingForRemoval: ")
	}, SpecTimeout(10*time.Minute))

	It("by its certificate is not spoken to", func(ctx SpecContext) {
		becomes(ctx, "unmasked", func(e *enemy) { Expect(e.SwapCertificate()).To(Succeed()) }, func(e *enemy) { e.RestoreCertificate() },
			"certificate", "WaitingForRemoval: ")
	}, SpecTimeout(10*time.Minute))
})
