package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// kubeFedCluster names the KubeFedCluster of a member.
func kubeFedCluster(c *framework.Cluster) ref {
	return ref{GroupVersionKind: framework.KubeFedCluster, Namespace: framework.KubeFedNamespace, Name: c.Name}
}

// joinAnew deletes the KubeFedCluster of a member and applies it again without its labels,
// as a GitOps tool or kubectl does.
func joinAnew(ctx context.Context, c *framework.Cluster) {
	GinkgoHelper()
	before := found(ctx, host, kubeFedCluster(c))
	Expect(host.Delete(ctx, before)).To(Succeed())
	again := &unstructured.Unstructured{Object: fields{"spec": before.Object["spec"]}}
	again.SetGroupVersionKind(before.GroupVersionKind())
	again.SetNamespace(before.GetNamespace())
	again.SetName(before.GetName())
	Expect(host.Create(ctx, again)).To(Succeed())
}

// leftoversOf is the condition of a KubeFedCluster that tells of what nobody selects.
func leftoversOf(ctx context.Context, c *framework.Cluster) string {
	GinkgoHelper()
	message, _ := conditionOf(found(ctx, host, kubeFedCluster(c)), "Leftovers")["message"].(string)
	return message
}

var _ = Describe("A membership that begins", localOnly, Serial, func() {
	const label = "e2e-tier"

	It("removes nothing: what it finds and nobody selects is kept, said, taken up, or pruned", func(ctx SpecContext) {
		c := members[1]
		relabel(ctx, c, label, "gold")
		ns := plainNamespace(ctx)
		namespace := create(ctx, federate("Namespace", ns, ns, nil).onLabelled(fields{label: "gold"}))
		f := create(ctx, configMap(ns, "stays", fields{"a": "1"}).onLabelled(fields{label: "gold"}))
		expectSettled(ctx, namespace, c)
		expectSettled(ctx, f, c)
		there := map[ref]*unstructured.Unstructured{namespace.target: found(ctx, c, namespace.target), f.target: found(ctx, c, f.target)}
		expectKept := func() {
			GinkgoHelper()
			for _, object := range []*federated{namespace, f} {
				expectStatus(ctx, object, "", map[string]string{c.Name: "NotSelected"})
				u := found(ctx, c, object.target)
				Expect(u.GetUID()).To(Equal(there[object.target].GetUID()), object.GetKind())
				Expect(u.GetResourceVersion()).To(Equal(there[object.target].GetResourceVersion()), object.GetKind())
				Expect(u.GetDeletionTimestamp()).To(BeNil(), object.GetKind())
			}
		}

		By("deleting the KubeFedCluster and applying it again, without its labels")
		joinAnew(ctx, c)
		expectKept()
		expectEvent(ctx, f, "NotSelected", c.Name, "fedctl prune "+c.Name)
		Eventually(ctx, func() string { return leftoversOf(ctx, c) }).Should(And(
			ContainSubstring("2 objects"), ContainSubstring("ConfigMap "+ns+"/stays"), ContainSubstring("kept until")))

		By("selecting it again: it is taken up as it is")
		relabel(ctx, c, label, "gold")
		expectSettled(ctx, namespace, c)
		expectSettled(ctx, f, c)
		for target, before := range there {
			Expect(found(ctx, c, target).GetResourceVersion()).To(Equal(before.GetResourceVersion()), target.Kind)
		}
		Eventually(ctx, func() string { return leftoversOf(ctx, c) }).Should(BeEmpty())

		By("joining anew while no controller runs")
		Expect(system.Controller.Stop(ctx)).To(Succeed())
		joinAnew(ctx, c)
		Expect(system.Controller.Start(ctx)).To(Succeed())
		expectKept()
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		expectKept()

		By("pruning")
		Expect(fedctl(ctx, "prune", c.Name, "--dry-run")).To(And(
			ContainSubstring("would remove ConfigMap "+ns+"/stays in "+c.Name), ContainSubstring("would remove Namespace "+ns+" in "+c.Name)))
		expectKept()
		Expect(fedctl(ctx, "prune", c.Name, "--timeout", "3m")).To(ContainSubstring("removed Namespace " + ns))
		expectGone(ctx, c, f.target)
		expectGone(ctx, c, namespace.target)
		Expect(fedctl(ctx, "prune", c.Name)).To(ContainSubstring("nothing to prune"))

		By("relabelling a cluster that has joined: that is asked for")
		relabel(ctx, c, label, "gold")
		expectSettled(ctx, f, c)
		relabel(ctx, c, label, "")
		expectGone(ctx, c, f.target)
		expectSettled(ctx, f)
	}, NodeTimeout(10*time.Minute))

	It("takes up the labels that unjoin has left in the cluster", func(ctx SpecContext) {
		c := members[1]
		relabel(ctx, c, label, "gold")
		f := create(ctx, configMap(federatedNamespace(ctx), "labelled", fields{"a": "1"}).onLabelled(fields{label: "gold"}))
		expectSettled(ctx, f, c)
		uid := found(ctx, c, f.target).GetUID()
		DeferCleanup(func(ctx SpecContext) { // whatever fails: the other specs need the member
			Expect(system.Join(ctx, c.Name)).To(Succeed())
			Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		})
		Expect(fedctl(ctx, "unjoin", c.Name)).To(ContainSubstring("--labels " + label + "=gold"))
		expectSettled(ctx, f)
		Expect(fedctl(ctx, "join", c.Name)).To(And(ContainSubstring("took up the labels"), ContainSubstring(label+"=gold")))
		expectSettled(ctx, f, c)
		Expect(found(ctx, c, f.target).GetUID()).To(Equal(uid))

		By("joining with other labels, and without those that are remembered")
		fedctl(ctx, "unjoin", c.Name)
		fedctl(ctx, "join", c.Name, "--forget-labels", "--labels", "e2e-other=yes")
		Expect(found(ctx, host, kubeFedCluster(c)).GetLabels()).To(Equal(map[string]string{"e2e-other": "yes"}))
		expectStatus(ctx, f, "", map[string]string{c.Name: "NotSelected"})
		Expect(found(ctx, c, f.target).GetUID()).To(Equal(uid))

		By("deleting the federated object: that is asked for")
		remove(ctx, f)
		expectGone(ctx, c, f.target)
	}, NodeTimeout(8*time.Minute))
})
