package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// gate puts an admission webhook into a cluster, for writes of a resource in a
// namespace, for the time of a spec. It lets everything pass until it is told otherwise.
func gate(ctx context.Context, c *framework.Cluster, group, resource, namespace string, probe client.Object) *framework.Gate {
	GinkgoHelper()
	g := framework.NewGate("e2e-"+rand.String(6), group, resource, namespace)
	Expect(c.Create(ctx, g.Configuration)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		g.Open()
		Expect(c.Delete(ctx, g.Configuration)).To(Succeed())
		g.Close()
	})
	Eventually(ctx, func() int64 {
		Expect(client.IgnoreNotFound(c.Patch(ctx, probe.DeepCopyObject().(client.Object), //nolint:forcetypeassert // it is a copy
			client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"probe":"x"}}}`)), client.DryRunAll))).To(Succeed())
		return g.Asked()
	}).Should(BeNumerically(">", 0), "the API server of %s asks the webhook", c.Name)
	return g
}

// expectWord waits until the status of an object, which may be being deleted, has
// the word for the cluster, and returns the message.
func expectWord(ctx context.Context, f *federated, c *framework.Cluster, word string, texts ...string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, f.ref())
		g.Expect(err).NotTo(HaveOccurred())
		o := outcomeOf(u)
		g.Expect(o.Clusters).To(HaveKeyWithValue(c.Name, word), "status is %v", u.Object["status"])
		g.Expect(o.Propagation).To(Equal("False"))
		g.Expect(o.Reason).To(Equal("CheckClusters"))
		for _, text := range texts {
			g.Expect(o.Messages[c.Name]).To(ContainSubstring(text))
		}
	}).Should(Succeed())
}

var _ = Describe("The word for a cluster", localOnly, func() {
	It("that keeps writes waiting: CreationTimedOut, UpdateTimedOut, DeletionTimedOut, and then the outcome", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		healthy, slow := members[0], members[1]
		updated := create(ctx, configMap(ns, "updated", fields{"a": "1"}).on(healthy, slow))
		deleted := create(ctx, configMap(ns, "deleted", fields{"a": "1"}).on(healthy, slow))
		expectSettled(ctx, updated, healthy, slow)
		expectSettled(ctx, deleted, healthy, slow)
		g := gate(ctx, slow, "", "configmaps", ns, found(ctx, slow, updated.target))

		g.Hold()
		created := create(ctx, configMap(ns, "created", fields{"a": "1"}).on(healthy, slow))
		change(ctx, updated, func(f *federated) { set(f.template(), "/data/a", "2") })
		Expect(host.Delete(ctx, deleted.Unstructured)).To(Succeed())
		expectField(ctx, healthy, created.target, "/data/a", "1")
		expectField(ctx, healthy, updated.target, "/data/a", "2")
		expectGone(ctx, healthy, deleted.target)
		expectWord(ctx, created, slow, "CreationTimedOut", "has not answered yet")
		expectWord(ctx, updated, slow, "UpdateTimedOut", "has not answered yet")
		expectWord(ctx, deleted, slow, "DeletionTimedOut", "has not answered yet")
		expectStatus(ctx, created, "CheckClusters", map[string]string{healthy.Name: "", slow.Name: "CreationTimedOut"})

		By("letting them pass")
		g.Open()
		expectSettled(ctx, created, healthy, slow)
		expectSettled(ctx, updated, healthy, slow)
		expectField(ctx, slow, updated.target, "/data/a", "2")
		expectGone(ctx, host, deleted.ref())
		expectMissing(ctx, slow, deleted.target)
	}, NodeTimeout(5*time.Minute))

	It("that refuses writes: CreationFailed, UpdateFailed, DeletionFailed, each tried again", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		healthy, strict := members[0], members[1]
		updated := create(ctx, configMap(ns, "updated", fields{"a": "1"}).on(healthy, strict))
		deleted := create(ctx, configMap(ns, "deleted", fields{"a": "1"}).on(healthy, strict))
		leaving := create(ctx, configMap(ns, "leaving", fields{"a": "1"}).on(healthy, strict))
		for _, f := range []*federated{updated, deleted, leaving} {
			expectSettled(ctx, f, healthy, strict)
		}
		g := gate(ctx, strict, "", "configmaps", ns, found(ctx, strict, updated.target))

		g.Deny("closed for today")
		created := create(ctx, configMap(ns, "created", fields{"a": "1"}).on(healthy, strict))
		change(ctx, updated, func(f *federated) { set(f.template(), "/data/a", "2") })
		change(ctx, leaving, func(f *federated) { f.on(healthy) })
		Expect(host.Delete(ctx, deleted.Unstructured)).To(Succeed())
		expectWord(ctx, created, strict, "CreationFailed", "closed for today")
		expectWord(ctx, updated, strict, "UpdateFailed", "closed for today")
		expectWord(ctx, deleted, strict, "DeletionFailed", "closed for today")
		expectStatus(ctx, leaving, "CheckClusters", map[string]string{healthy.Name: "", strict.Name: "DeletionFailed"})
		Expect(found(ctx, host, deleted.ref()).GetFinalizers()).To(ContainElement(finalizer))
		expectEvent(ctx, updated, "UpdateFailed", strict.Name, "closed for today")

		By("letting them pass")
		g.Open()
		expectSettled(ctx, created, healthy, strict)
		expectSettled(ctx, updated, healthy, strict)
		expectField(ctx, strict, updated.target, "/data/a", "2")
		expectSettled(ctx, leaving, healthy)
		expectMissing(ctx, strict, leaving.target)
		expectGone(ctx, host, deleted.ref())
		expectMissing(ctx, strict, deleted.target)
	}, NodeTimeout(5*time.Minute))
})

// mayInMember says whether the control plane may do something in a member.
func mayInMember(ctx context.Context, c *framework.Cluster, what authorizationv1.ResourceAttributes) bool {
	GinkgoHelper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               "system:serviceaccount:" + framework.KubeFedNamespace + ":" + c.Name + "-" + host.Name,
		ResourceAttributes: &what,
	}}
	Expect(c.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}

// mayGet says whether the control plane may read ConfigMaps in a member.
func mayGet(ctx context.Context, c *framework.Cluster) bool {
	GinkgoHelper()
	return mayInMember(ctx, c, authorizationv1.ResourceAttributes{Verb: "get", Resource: "configmaps", Namespace: "default"})
}

// forbidGet takes the right to read single ConfigMaps from the control plane, until
// the cluster is joined again.
func forbidGet(ctx context.Context, c *framework.Cluster) {
	GinkgoHelper()
	allowOnly(ctx, c, "list", "watch", "create", "update", "patch", "delete")
	Eventually(ctx, func() bool { return mayGet(ctx, c) }).Should(BeFalse())
}

// allowOnly leaves the control plane some of its rights to ConfigMaps, until the cluster
// is joined again.
func allowOnly(ctx context.Context, c *framework.Cluster, verbs ...any) {
	GinkgoHelper()
	role := ref{GroupVersionKind: kinds["ClusterRole"].WithKind("ClusterRole"), Name: "kubefed-controller-manager:" + c.Name + "-" + host.Name}
	tamper(ctx, c, role, func(u *unstructured.Unstructured) {
		rules, _, _ := unstructured.NestedSlice(u.Object, "rules")
		for _, item := range rules {
			rule := item.(fields) //nolint:forcetypeassert // the API server says so
			if resources, _ := rule["resources"].(list); contains(resources, "configmaps") {
				rule["verbs"] = verbs
			}
		}
		set(u.Object, "/rules", rules)
	})
}

func contains(all list, one string) bool {
	for _, item := range all {
		if item == one {
			return true
		}
	}
	return false
}

// brokenCluster joins, for the time of a spec, a cluster that can never be ready.
func brokenCluster(ctx context.Context, name string, spec fields) {
	GinkgoHelper()
	u := &unstructured.Unstructured{Object: fields{"spec": plain(spec)}}
	u.SetGroupVersionKind(framework.KubeFedCluster)
	u.SetNamespace(framework.KubeFedNamespace)
	u.SetName(name)
	Expect(host.Create(ctx, u)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, u))).To(Succeed()) })
}

var _ = Describe("Clusters that can never be ready", Serial, func() {
	It("harm nothing: the others get all that is placed everywhere, and deletions end", func(ctx SpecContext) {
		brokenCluster(ctx, "e2e-no-secret", fields{"apiEndpoint": host.Config.Host, "secretRef": fields{"name": "there-is-none"}})
		brokenCluster(ctx, "e2e-dead", fields{"apiEndpoint": "https://127.0.0.1:1", "secretRef": fields{"name": "there-is-none"}})
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: framework.KubeFedNamespace, Name: "e2e-dead-end"},
			Data:       map[string][]byte{"token": []byte("x")},
		}
		Expect(host.Create(ctx, secret)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, secret)).To(Succeed()) })
		brokenCluster(ctx, "e2e-nobody-there", fields{"apiEndpoint": "https://127.0.0.1:1", "secretRef": fields{"name": secret.Name}})
		for _, name := range []string{"e2e-no-secret", "e2e-dead", "e2e-nobody-there"} {
			Expect(system.WaitForMember(ctx, name, false)).To(Succeed())
		}

		want := map[string]string{"e2e-no-secret": "ClusterNotReady", "e2e-dead": "ClusterNotReady", "e2e-nobody-there": "ClusterNotReady"}
		for _, c := range members {
			want[c.Name] = ""
		}
		ns := plainNamespace(ctx)
		namespace := create(ctx, federate("Namespace", ns, ns, nil).onLabelled(nil))
		f := create(ctx, configMap(ns, "everywhere", fields{"a": "1"}).onLabelled(nil))
		expectStatus(ctx, namespace, "CheckClusters", want)
		expectStatus(ctx, f, "CheckClusters", want)
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		for _, c := range members {
			expectField(ctx, c, f.target, "/data/a", "2")
		}
		expectStatus(ctx, f, "CheckClusters", want)
		remove(ctx, f)
		expectMissing(ctx, members[0], f.target)
	}, NodeTimeout(5*time.Minute))
})
