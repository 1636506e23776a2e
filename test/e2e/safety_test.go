package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// limitController changes a role of the controller in the host, until the returned
// function is called or the spec ends, and waits until it may no longer list a resource.
func limitController(ctx context.Context, role ref, group, resource string, by func(rule fields)) (restore func(ctx context.Context)) {
	GinkgoHelper()
	before, _, _ := unstructured.NestedSlice(found(ctx, host, role).Object, "rules")
	restore = func(ctx context.Context) {
		GinkgoHelper()
		tamper(ctx, host, role, func(u *unstructured.Unstructured) { set(u.Object, "/rules", before) })
	}
	DeferCleanup(func(ctx SpecContext) { restore(ctx) })
	tamper(ctx, host, role, func(u *unstructured.Unstructured) {
		rules, _, _ := unstructured.NestedSlice(u.Object, "rules")
		for _, rule := range rules {
			by(rule.(fields)) //nolint:forcetypeassert // the API server says so
		}
		set(u.Object, "/rules", rules)
	})
	Eventually(ctx, func() bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               "system:serviceaccount:" + framework.KubeFedNamespace + ":" + framework.ServiceAccount,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Group: group, Resource: resource, Namespace: framework.KubeFedNamespace},
		}}
		Expect(host.Create(ctx, review)).To(Succeed())
		return review.Status.Allowed
	}).Should(BeFalse())
	return restore
}

var _ = Describe("What cannot be read", localOnly, Serial, func() {
	It("is not taken for empty: nothing leaves a member, and all goes on when it can be read again", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		changed := create(ctx, configMap(ns, "changed", fields{"a": "1"}).on(members[0], members[1]))
		hidden := create(ctx, federate("Secret", ns, "hidden", fields{"data": fields{"a": "eA=="}}).on(members[0], members[1]))
		expectSettled(ctx, changed, members[0], members[1])
		expectSettled(ctx, hidden, members[0], members[1])
		namespace := ref{GroupVersionKind: kinds["Namespace"].WithKind("Namespace"), Name: ns}
		uids := map[ref]types.UID{}
		for _, r := range []ref{namespace, changed.target, hidden.target} {
			uids[r] = found(ctx, members[0], r).GetUID()
		}
		expectUntouched := func(a string) {
			GinkgoHelper()
			Consistently(ctx, func(g Gomega) {
				for r, uid := range uids {
					u, err := read(ctx, members[0], r)
					g.Expect(err).NotTo(HaveOccurred())
					g.Expect(u.GetUID()).To(Equal(uid))
					g.Expect(u.GetDeletionTimestamp()).To(BeNil(), r.Kind)
					g.Expect(u.GetLabels()).To(HaveKeyWithValue(managed, "true"), r.Kind)
				}
				g.Expect(at(found(ctx, members[0], changed.target).Object, "/data/a")).To(Equal(a))
			}).WithTimeout(2 * time.Second).Should(Succeed())
		}

		By("hiding FederatedNamespaces and FederatedSecrets from the controller")
		restore := limitController(ctx, ref{GroupVersionKind: kinds["ClusterRole"].WithKind("ClusterRole"), Name: "fedctl-controller"},
			"types.kubefed.io", "federatednamespaces", func(rule fields) {
				if asJSON(rule["apiGroups"]) == `["types.kubefed.io"]` {
					rule["resources"] = list{"federatedconfigmaps", "federatedconfigmaps/status"}
				}
			})
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		expectField(ctx, host, typeConfig("secrets"), "/status/propagationController", "NotRunning")
		expectTypeEvent(ctx, "secrets", "FederatedTypeForbidden")
		expectField(ctx, host, typeConfig("configmaps"), "/status/propagationController", "Running")
		change(ctx, changed, func(f *federated) { set(f.template(), "/data/a", "2") })
		expectUntouched("1")
		restore(ctx)
		expectField(ctx, members[0], changed.target, "/data/a", "2")
		expectField(ctx, host, typeConfig("secrets"), "/status/propagationController", "Running")
		expectSettled(ctx, changed, members[0], members[1])

		By("hiding the KubeFedClusters")
		role := ref{GroupVersionKind: kinds["ClusterRole"].WithKind("Role"), Namespace: framework.KubeFedNamespace, Name: "fedctl-controller"}
		restore = limitController(ctx, role, "core.kubefed.io", "kubefedclusters", func(rule fields) {
			if resources, _ := rule["resources"].(list); contains(resources, "kubefedclusters") {
				rule["resources"] = list{"federatedtypeconfigs", "kubefedconfigs"}
			}
		})
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		change(ctx, changed, func(f *federated) { set(f.template(), "/data/a", "3") })
		expectUntouched("2")
		restore(ctx)
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		expectField(ctx, members[0], changed.target, "/data/a", "3")
		expectSettled(ctx, changed, members[0], members[1])
		expectSettled(ctx, hidden, members[0], members[1])
	}, NodeTimeout(10*time.Minute))
})

var _ = Describe("A selector of a FederatedNamespace", func() {
	It("that cannot be read touches nothing of what is in the namespace", func(ctx SpecContext) {
		ns := plainNamespace(ctx)
		namespace := create(ctx, federate("Namespace", ns, ns, nil).on(members[0]))
		f := create(ctx, configMap(ns, "inside", fields{"a": "1"}).on(members[0]))
		expectSettled(ctx, f, members[0])
		change(ctx, namespace, func(f *federated) {
			f.spec()["placement"] = fields{"clusterSelector": fields{"matchLabels": fields{"a": "not a label!"}}}
		})
		for _, object := range []*federated{namespace, f} {
			Eventually(ctx, func() string { return outcomeOf(found(ctx, host, object.ref())).Reason }).Should(Equal("ComputePlacementFailed"))
		}
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		Consistently(ctx, func() any { return at(found(ctx, members[0], f.target).Object, "/data/a") }).Should(Equal("1"))
		Expect(found(ctx, members[0], namespace.target).GetDeletionTimestamp()).To(BeNil())
		change(ctx, namespace, func(f *federated) { f.on(members[0]) })
		expectField(ctx, members[0], f.target, "/data/a", "2")
		expectSettled(ctx, f, members[0])
	})
})

var _ = Describe("A FederatedNamespace of another name than its namespace", func() {
	It("stands for no namespace", func(ctx SpecContext) {
		ns, other := federatedNamespace(ctx), federatedNamespace(ctx)
		namespace := ref{GroupVersionKind: kinds["Namespace"].WithKind("Namespace"), Name: other}
		for _, c := range members {
			expectField(ctx, c, namespace, "/status/phase", "Active")
		}
		f := create(ctx, federate("Namespace", ns, other, fields{"metadata": fields{"annotations": fields{"a": "b"}}}).on(members[0]))
		Eventually(ctx, func() string { return outcomeOf(found(ctx, host, f.ref())).Reason }).Should(Equal("ComputePlacementFailed"))
		expectField(ctx, members[0], namespace, "/metadata/annotations/a", nil)
		remove(ctx, f)
		for _, c := range members {
			u := found(ctx, c, namespace)
			Expect(u.GetDeletionTimestamp()).To(BeNil())
			Expect(u.GetLabels()).To(HaveKeyWithValue(managed, "true"))
		}
	})
})

var _ = Describe("A deletion in a member", localOnly, func() {
	It("is of the object that was seen, and not of one that has taken its name", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "taken", fields{"a": "1"}).on(members[0]))
		expectSettled(ctx, f, members[0])
		seen := found(ctx, members[0], f.target)
		g := gate(ctx, members[0], "", "configmaps", f.GetNamespace(), seen)
		g.Hold()
		before := g.Asked()
		Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
		Eventually(ctx, g.Asked).Should(BeNumerically(">", before), "the deletion is on its way")

		By("somebody else putting another object in its place")
		Expect(members[0].Delete(ctx, seen)).To(Succeed())
		theirs := plant(ctx, members[0], f, nil, fields{"theirs": "x"})
		g.Open()
		expectGone(ctx, host, f.ref())
		now := found(ctx, members[0], f.target)
		Expect(now.GetUID()).To(Equal(theirs.GetUID()))
		Expect(now.GetResourceVersion()).To(Equal(theirs.GetResourceVersion()))
	}, NodeTimeout(5*time.Minute))

	It("does not come before the finalizer: that is there before the first write", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		first := create(ctx, configMap(ns, "first", fields{"a": "1"}).on(members[0]))
		expectSettled(ctx, first, members[0])
		g := gate(ctx, members[0], "", "configmaps", ns, found(ctx, members[0], first.target))
		g.Hold()
		before := g.Asked()
		f := create(ctx, configMap(ns, "second", fields{"a": "1"}).on(members[0]))
		Eventually(ctx, g.Asked).Should(BeNumerically(">", before), "the first write is on its way")
		Expect(found(ctx, host, f.ref()).GetFinalizers()).To(ContainElement(finalizer))
		g.Open()
		expectSettled(ctx, f, members[0])
	}, NodeTimeout(5*time.Minute))
})

var _ = Describe("Something that keeps changing what the template sets", func() {
	It("is put right ever more slowly, and an event says so", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "fought-over", fields{"a": "1"}).on(members[0]))
		expectSettled(ctx, f, members[0])
		fighting, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		fights := 0
		go func() {
			defer close(done)
			for ; fighting.Err() == nil; time.Sleep(20 * time.Millisecond) {
				_ = retry.RetryOnConflict(kit.Conflicts, func() error {
					u, err := read(fighting, members[0], f.target)
					if err != nil || at(u.Object, "/data/a") != "1" {
						return err
					}
					_ = unstructured.SetNestedField(u.Object, "theirs", "data", "a")
					if err = members[0].Update(fighting, u); err == nil {
						fights++
					}
					return err
				})
			}
		}()
		DeferCleanup(func() { stop(); <-done })
		expectEvent(ctx, f, "RepeatedDrift", members[0].Name, "leave them out of the template")
		stop()
		<-done
		Expect(fights).To(BeNumerically("<", 15), "each repair waits longer than the one before")
		expectField(ctx, members[0], f.target, "/data/a", "1")
	}, NodeTimeout(5*time.Minute))
})
