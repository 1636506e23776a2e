package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var _ = Describe("What KubeFed's controller has written to a member", localOnly, Serial, func() {
	// inherit has the member hold what KubeFed would have made of f, then federates it.
	inherit := func(ctx SpecContext, f *federated, content fields) *unstructured.Unstructured {
		GinkgoHelper()
		namespace := ref{GroupVersionKind: kinds["Namespace"].WithKind("Namespace"), Name: f.GetNamespace()}
		expectField(ctx, members[0], namespace, "/status/phase", "Active")
		Expect(system.Controller.Stop(ctx)).To(Succeed()) // it would take the label off what has no federated object
		DeferCleanup(func(ctx SpecContext) { Expect(system.Controller.Restart(ctx)).To(Succeed()) })
		u := &unstructured.Unstructured{Object: plain(content)}
		u.SetGroupVersionKind(f.target.GroupVersionKind)
		u.SetNamespace(f.target.Namespace)
		u.SetName(f.target.Name)
		u.SetLabels(map[string]string{managed: "true"})
		Expect(members[0].Create(ctx, u, client.FieldOwner("controller-manager"))).To(Succeed())
		create(ctx, f)
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		expectSettled(ctx, f, members[0])
		return u
	}

	It("is taken over, so that what leaves the template leaves the member", func(ctx SpecContext) {
		f := configMap(federatedNamespace(ctx), "inherited", fields{"a": "1", "b": "2"}).on(members[0])
		before := inherit(ctx, f, fields{"data": fields{"a": "1", "b": "2"}})
		change(ctx, f, func(f *federated) { delete(f.template()["data"].(fields), "b") })
		expectField(ctx, members[0], f.target, "/data/b", nil)
		expectField(ctx, members[0], f.target, "/data/a", "1")
		Expect(found(ctx, members[0], f.target).GetUID()).To(Equal(before.GetUID()))
	})

	It("is not rolled out again", func(ctx SpecContext) {
		content := workload(fields{"replicas": 2})
		f := federate("Deployment", federatedNamespace(ctx), "inherited", workload(fields{"replicas": 2})).on(members[0])
		before := inherit(ctx, f, content)
		after := found(ctx, members[0], f.target)
		Expect(after.GetUID()).To(Equal(before.GetUID()))
		Expect(after.GetGeneration()).To(Equal(before.GetGeneration()), "the spec is the same, defaults included")
		By("with the replicas retained from now on")
		change(ctx, f, func(f *federated) { f.spec()["retainReplicas"] = true })
		expectSettled(ctx, f, members[0])
		expectField(ctx, members[0], f.target, "/spec/replicas", 2)
	})
})
