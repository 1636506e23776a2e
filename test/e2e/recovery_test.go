package e2e

import (
	"encoding/json"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// appliedAt is when the control plane's own fields were last applied.
func appliedAt(u *unstructured.Unstructured) metav1.Time {
	for _, entry := range u.GetManagedFields() {
		if entry.Manager == "fedctl" && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Time != nil {
			return *entry.Time
		}
	}
	return metav1.Time{}
}

var _ = Describe("A write whose record was lost", localOnly, Serial, func() {
	It("is noticed also when the federated object has been changed back meanwhile", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "reverted", fields{"a": "1"}).on(members[0]))
		expectSettled(ctx, f, members[0])
		before := appliedAt(found(ctx, members[0], f.target))
		Expect(system.Controller.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			if !system.Controller.Running() {
				Expect(system.Controller.Start(ctx)).To(Succeed())
			}
		})

		By("writing what a controller writes that is killed before it writes the status")
		Eventually(ctx, func(g Gomega) {
			body, err := json.Marshal(fields{
				"apiVersion": "v1", "kind": "ConfigMap",
				"metadata": fields{"name": f.GetName(), "labels": fields{managed: "true"}},
				"data":     fields{"a": fmt.Sprint(time.Now())},
			})
			g.Expect(err).NotTo(HaveOccurred())
			u := found(ctx, members[0], f.target)
			g.Expect(members[0].Patch(ctx, u, client.RawPatch(types.ApplyPatchType, body), client.FieldOwner("fedctl"), client.ForceOwnership)).To(Succeed())
			now := appliedAt(u)
			g.Expect(now.Equal(&before)).To(BeFalse())
		}).Should(Succeed())

		Expect(system.Controller.Start(ctx)).To(Succeed())
		expectField(ctx, members[0], f.target, "/data/a", "1")
		expectSettled(ctx, f, members[0])
	}, NodeTimeout(5*time.Minute))
})

var _ = Describe("A template that server-side apply refuses", func() {
	It("is written as KubeFed did, with a warning, until it is mended", func(ctx SpecContext) {
		const env = "/spec/template/spec/containers/0/env"
		container := func(env ...any) fields {
			return fields{"name": "c", "image": "registry.example.com/c:1", "env": env}
		}
		twice := list{fields{"name": "A", "value": "1"}, fields{"name": "A", "value": "2"}}
		template := workload(fields{"replicas": 0})
		set(template, "/spec/template/spec/containers", list{container(twice...)})
		f := create(ctx, federate("Deployment", federatedNamespace(ctx), "twice", template).on(members[0], members[1]))
		expectField(ctx, members[0], f.target, env, twice)
		expectManagedOnly(found(ctx, members[0], f.target))
		expectSettled(ctx, f, members[0], members[1])
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(conditionOf(u, "Accepted")).NotTo(BeEmpty())
		}).Should(Succeed())
		Expect(fmt.Sprint(conditionOf(found(ctx, host, f.ref()), "Accepted"))).To(And(ContainSubstring("duplicate entries"), ContainSubstring(`[name="A"]`)))

		By("drifting, and changing")
		tamper(ctx, members[0], f.target, func(u *unstructured.Unstructured) {
			set(u.Object, env, list{fields{"name": "A", "value": "3"}})
		})
		expectField(ctx, members[0], f.target, env, twice)
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/revisionHistoryLimit", 3) })
		expectField(ctx, members[0], f.target, "/spec/revisionHistoryLimit", 3)
		expectField(ctx, members[1], f.target, "/spec/revisionHistoryLimit", 3)
		expectSettled(ctx, f, members[0], members[1])

		By("mending it")
		once := list{fields{"name": "B", "value": "2"}}
		change(ctx, f, func(f *federated) {
			set(f.template(), "/spec/template/spec/containers", list{container(once...)})
			set(f.template(), "/spec/revisionHistoryLimit", nil)
		})
		expectField(ctx, members[0], f.target, env, once)
		expectField(ctx, members[0], f.target, "/spec/revisionHistoryLimit", 10)
		expectSettled(ctx, f, members[0], members[1])
		Eventually(ctx, func() fields { return conditionOf(found(ctx, host, f.ref()), "Accepted") }).Should(BeEmpty())
		remove(ctx, f)
	}, NodeTimeout(5*time.Minute))
})
