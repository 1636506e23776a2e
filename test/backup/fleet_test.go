package backup

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

func federated(kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: kind})
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

var _ = Describe("A fleet", func() {
	everywhere := map[string]any{"clusterSelector": map[string]any{}}

	It("runs a FederatedBackup in each member, at another time each, and collects what became of it", func(ctx SpecContext) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "fleet-"}}
		Expect(host.Create(ctx, ns)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, ns)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Expect(host.Create(ctx, federated("FederatedNamespace", ns.Name, ns.Name, map[string]any{"placement": everywhere}))).To(Succeed())
		Expect(host.Create(ctx, federated("FederatedBackup", ns.Name, "nightly", map[string]any{
			"template": map[string]any{"spec": map[string]any{
				"schedule": "@every 5s", "jitter": "1h", "repositoryRef": map[string]any{"name": "store"},
				"objective": map[string]any{"maxAge": "1h"},
			}},
			"placement": everywhere,
			// Runs that are due within the hour are no use here.
			"overrides": []any{map[string]any{"clusterName": members[0].Name, "clusterOverrides": []any{map[string]any{"path": "/spec/jitter", "value": "1s"}}}},
		}))).To(Succeed())
		b := &v1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "nightly"}}
		for _, member := range members {
			c := clients[member.Name]
			Eventually(ctx, func() error { return c.Get(ctx, client.ObjectKeyFromObject(b), b.DeepCopy()) }).Should(Succeed())
			fill(ctx, c, ns.Name)
			store(ctx, c, ns.Name, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns.Name + member.Name) })
		}
		first := clients[members[0].Name]
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, first, ns.Name), v1alpha1.RunSucceeded) }).ShouldNot(BeEmpty())
		expectCondition(ctx, first, b, v1alpha1.ConditionWithinObjective, metav1.ConditionTrue, "Recent")
		Eventually(ctx, func(g Gomega) {
			fresh := federated("FederatedBackup", ns.Name, "nightly", nil)
			g.Expect(host.Get(ctx, client.ObjectKeyFromObject(fresh), fresh)).To(Succeed())
			clusters, _, _ := unstructured.NestedSlice(fresh.Object, "status", "clusters")
			g.Expect(clusters).To(HaveLen(len(members)))
			for _, item := range clusters {
				entry, _ := item.(map[string]any)
				conditions, _, _ := unstructured.NestedSlice(entry, "remoteStatus", "conditions")
				g.Expect(conditions).NotTo(BeEmpty(), "%s: what is known of its status", entry["name"])
			}
		}).Should(Succeed())
	}, SpecTimeout(10*time.Minute))

	It("is not held up by a member that hangs", func(ctx SpecContext) {
		c := clients[members[0].Name]
		ns := namespace(ctx, c)
		store(ctx, c, ns)
		b := backup(ctx, c, ns)
		Expect(system.Faults().Pause(members[1].Name)).To(Succeed())
		DeferCleanup(func() { Expect(system.Faults().Resume(members[1].Name)).To(Succeed()) })
		for range 3 {
			expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		}
	}, SpecTimeout(8*time.Minute))
})
