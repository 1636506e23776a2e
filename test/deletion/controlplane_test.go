package deletion

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// inMember names the ConfigMap of a world in the members.
func (w *world) inMember() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("v1")
	u.SetKind("ConfigMap")
	u.SetNamespace(w.name)
	u.SetName(w.common.GetName())
	return u
}

var _ = Describe("Deleting the control plane's namespace", Serial, func() {
	kubefed := &unstructured.Unstructured{}
	kubefed.SetAPIVersion("v1")
	kubefed.SetKind("Namespace")
	kubefed.SetName(framework.KubeFedNamespace)

	DescribeTable("ends with fedctl uninstall, and nothing keeps a finalizer",
		func(ctx SpecContext, end func(ctx context.Context)) {
			worlds := make([]*world, 3)
			for i := range worlds {
				var err error
				worlds[i], err = newWorld(ctx)
				Expect(err).NotTo(HaveOccurred())
			}
			for _, w := range worlds {
				w.settle(ctx)
			}
			before, after, kept := worlds[0], worlds[1], worlds[2]
			there, err := read(ctx, members[0], kept.inMember())
			Expect(err).NotTo(HaveOccurred())

			By("refusing while clusters are joined")
			_, err = system.Run(ctx, "uninstall")
			Expect(err).To(MatchError(ContainSubstring("fedctl unjoin " + members[0].Name)))

			By("deleting things before and after the namespace")
			end(ctx)
			Expect(drop(ctx, host, before.namespace, before.own)).To(Succeed())
			Expect(drop(ctx, host, kubefed)).To(Succeed())
			Expect(drop(ctx, host, after.namespace, after.definition)).To(Succeed())

			By("uninstalling")
			fedctl(ctx, "uninstall", "--force")
			_, err = read(ctx, host, kubefed)
			Expect(isGone(err)).To(BeTrue())
			Expect(system.Controller.Kill(ctx)).To(Succeed())
			expectEnded(ctx, worlds)
			for _, object := range kept.federated() {
				u, err := read(ctx, host, object)
				Expect(err).NotTo(HaveOccurred())
				Expect(u.GetFinalizers()).To(BeEmpty())
			}

			By("installing again: what is in the members is taken up where it was")
			Expect(system.Install(ctx)).To(Succeed())
			Expect(host.Create(ctx, kept.config.DeepCopy())).To(Succeed())
			Eventually(ctx, func(g Gomega) {
				for _, object := range kept.federated() {
					u, err := read(ctx, host, object)
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(u.GetFinalizers()).NotTo(BeEmpty())
				}
			}).Should(Succeed())
			now, err := read(ctx, members[0], kept.inMember())
			Expect(err).NotTo(HaveOccurred())
			Expect(now.GetUID()).To(Equal(there.GetUID()))
			finish(ctx, worlds)
			expectGone(ctx, worlds)
		},
		Entry("while the controller runs", func(context.Context) {}, NodeTimeout(10*time.Minute)),
		Entry("after the controller was killed", func(ctx context.Context) {
			Expect(system.Controller.Kill(ctx)).To(Succeed())
		}, NodeTimeout(10*time.Minute)),
	)
})
