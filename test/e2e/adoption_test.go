package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// plant creates an object in a member, in the namespace, that the control plane
// has not made.
func plant(ctx SpecContext, c *framework.Cluster, f *federated, labels map[string]string, data fields) *unstructured.Unstructured {
	GinkgoHelper()
	expectField(ctx, c, ref{GroupVersionKind: kinds["Namespace"].WithKind("Namespace"), Name: f.GetNamespace()}, "/status/phase", "Active")
	u := &unstructured.Unstructured{Object: plain(fields{"data": data})}
	u.SetGroupVersionKind(f.target.GroupVersionKind)
	u.SetNamespace(f.target.Namespace)
	u.SetName(f.target.Name)
	u.SetLabels(labels)
	Expect(c.Create(ctx, u)).To(Succeed())
	return u
}

var _ = Describe("An object that a member has already", func() {
	It("is adopted", func(ctx SpecContext) {
		f := configMap(federatedNamespace(ctx), "adopted", fields{"a": "1"}).on(members[0])
		there := plant(ctx, members[0], f, nil, fields{"a": "0", "theirs": "x"})
		create(ctx, f)
		expectSettled(ctx, f, members[0])
		expectField(ctx, members[0], f.target, "/data", fields{"a": "1"})
		now := found(ctx, members[0], f.target)
		Expect(now.GetUID()).To(Equal(there.GetUID()))
		expectManagedOnly(now)
		remove(ctx, f)
		expectMissing(ctx, members[0], f.target)
	})

	It("is left alone where adoption is switched off", localOnly, Serial, func(ctx SpecContext) {
		f := configMap(federatedNamespace(ctx), "kept", fields{"a": "1"}).on(members[0], members[1])
		there := plant(ctx, members[0], f, nil, fields{"a": "0"})
		Expect(system.Controller.Restart(ctx, "--adopt-resources=false")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Controller.Restart(ctx)).To(Succeed()) })

		create(ctx, f)
		expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "AlreadyExists", members[1].Name: ""})
		expectEvent(ctx, f, "AlreadyExists", members[0].Name)
		Expect(found(ctx, members[0], f.target).GetResourceVersion()).To(Equal(there.GetResourceVersion()))
		remove(ctx, f)
		expectMissing(ctx, members[1], f.target)
		Expect(found(ctx, members[0], f.target).GetResourceVersion()).To(Equal(there.GetResourceVersion()))

		By("not being allowed to look whether there is one")
		forbidGet(ctx, members[1])
		DeferCleanup(func(ctx SpecContext) { Expect(system.Join(ctx, members[1].Name)).To(Succeed()) })
		unseen := create(ctx, configMap(f.GetNamespace(), "unseen", fields{"a": "1"}).on(members[1], members[2]))
		expectWord(ctx, unseen, members[1], "RetrievalFailed", "forbidden")
		expectField(ctx, members[2], unseen.target, "/data/a", "1")
		expectMissing(ctx, members[1], unseen.target)
		Expect(system.Join(ctx, members[1].Name)).To(Succeed())
		expectSettled(ctx, unseen, members[1], members[2])
	}, NodeTimeout(5*time.Minute))

	It("keeps out of the federation with the label false", func(ctx SpecContext) {
		f := configMap(federatedNamespace(ctx), "out", fields{"a": "1"}).on(members[0], members[1])
		there := plant(ctx, members[0], f, map[string]string{managed: "false"}, fields{"a": "0"})
		create(ctx, f)
		expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "ManagedLabelFalse", members[1].Name: ""})
		Expect(found(ctx, members[0], f.target).GetResourceVersion()).To(Equal(there.GetResourceVersion()))

		By("deleting the federated object")
		remove(ctx, f)
		expectMissing(ctx, members[1], f.target)
		Expect(found(ctx, members[0], f.target).GetResourceVersion()).To(Equal(there.GetResourceVersion()))
	})

	It("joins the federation when the label goes", func(ctx SpecContext) {
		f := configMap(federatedNamespace(ctx), "in", fields{"a": "1"}).on(members[0])
		plant(ctx, members[0], f, map[string]string{managed: "false"}, fields{"a": "0"})
		create(ctx, f)
		expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "ManagedLabelFalse"})
		tamper(ctx, members[0], f.target, func(u *unstructured.Unstructured) { u.SetLabels(nil) })
		expectField(ctx, members[0], f.target, "/data/a", "1")
		expectSettled(ctx, f, members[0])
	})

	It("loses the label when no federated object stands behind it", func(ctx SpecContext) {
		f := configMap(federatedNamespace(ctx), "fatherless", nil)
		there := plant(ctx, members[0], f, map[string]string{managed: "true", "theirs": "x"}, fields{"a": "0"})
		expectField(ctx, members[0], f.target, "/metadata/labels", fields{"theirs": "x"})
		now := found(ctx, members[0], f.target)
		Expect(now.GetUID()).To(Equal(there.GetUID()))
		Expect(now.GetDeletionTimestamp()).To(BeNil())
	})

	It("is not touched outside of the placement", func(ctx SpecContext) {
		f := configMap(federatedNamespace(ctx), "elsewhere", fields{"a": "1"}).on(members[0])
		there := plant(ctx, members[1], f, nil, fields{"a": "0"})
		create(ctx, f)
		expectSettled(ctx, f, members[0])
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		expectField(ctx, members[0], f.target, "/data/a", "2")
		remove(ctx, f)
		Expect(found(ctx, members[1], f.target).GetResourceVersion()).To(Equal(there.GetResourceVersion()))
	})
})
