package e2e

import (
	"context"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

const (
	finalizer = "kubefed.io/sync-controller"
	// held is a finalizer of somebody else's.
	held = "e2e.example.com/hold"
)

var _ = Describe("Deletion", func() {
	It("takes the finalizer off last", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "waited-for", fields{"a": "1"}).on(members[0], members[1]))
		expectSettled(ctx, f, members[0], members[1])
		Expect(found(ctx, host, f.ref()).GetFinalizers()).To(Equal([]string{finalizer}))

		By("holding the member's object by a finalizer of somebody else")
		hold := func(finalizers ...string) {
			tamper(ctx, members[1], f.target, func(u *unstructured.Unstructured) { u.SetFinalizers(finalizers) })
		}
		hold(held)
		Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
		expectGone(ctx, members[0], f.target)
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(outcomeOf(u).Clusters).To(Equal(map[string]string{members[1].Name: "WaitingForRemoval"}))
		}).Should(Succeed())
		Expect(found(ctx, host, f.ref()).GetFinalizers()).To(ContainElement(finalizer))

		By("letting it go")
		hold()
		expectGone(ctx, members[1], f.target)
		expectGone(ctx, host, f.ref())
	})

	It("that waits for a member, and is to orphan by then, leaves no label behind", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "let-go", fields{"a": "1"}).on(members[0], members[1]))
		expectSettled(ctx, f, members[0], members[1])
		hold := func(finalizers ...string) {
			tamper(ctx, members[1], f.target, func(u *unstructured.Unstructured) { u.SetFinalizers(finalizers) })
		}
		hold(held)
		Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
		expectWord(ctx, f, members[1], "WaitingForRemoval", "being deleted")
		change(ctx, f, func(f *federated) { f.annotate("kubefed.io/orphan", "true") })
		expectGone(ctx, host, f.ref())
		expectField(ctx, members[1], f.target, "/metadata/labels", nil)
		Expect(found(ctx, members[1], f.target).GetDeletionTimestamp()).NotTo(BeNil(), "what is deleted nobody can call back")

		By("federating one of the same name, which comes when the other has gone")
		again := create(ctx, configMap(f.GetNamespace(), "let-go", fields{"a": "2"}).on(members[0], members[1]))
		expectField(ctx, members[0], again.target, "/data/a", "2")
		expectWord(ctx, again, members[1], "WaitingForRemoval", "being deleted")
		hold()
		expectSettled(ctx, again, members[0], members[1])
		Expect(found(ctx, members[1], again.target).GetDeletionTimestamp()).To(BeNil())
	})

	It("leaves the finalizers of others alone", func(ctx SpecContext) {
		f := configMap(federatedNamespace(ctx), "shared", fields{"a": "1"}).on(members[0])
		f.SetFinalizers([]string{held})
		create(ctx, f)
		expectSettled(ctx, f, members[0])
		Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
		expectGone(ctx, members[0], f.target)
		expectField(ctx, host, f.ref(), "/metadata/finalizers", list{held})
		change(ctx, f, func(f *federated) { f.SetFinalizers(nil) })
		expectGone(ctx, host, f.ref())
	})

	It("follows the deletion options of the annotation", func(ctx SpecContext) {
		f := federate("Deployment", federatedNamespace(ctx), "options", workload(fields{"replicas": 1})).on(members[0])
		f.annotate("kubefed.io/deleteoption", `{"propagationPolicy":"Orphan"}`)
		create(ctx, f)
		expectField(ctx, members[0], f.target, "/status/readyReplicas", 1)
		remove(ctx, f)
		expectMissing(ctx, members[0], f.target)
		sets := replicaSets(ctx, members[0], f.GetNamespace())
		Expect(sets).To(HaveLen(1))
		Expect(sets[0].DeletionTimestamp).To(BeNil())

		By("deleting another one without the annotation")
		f = federate("Deployment", federatedNamespace(ctx), "options", workload(fields{"replicas": 1})).on(members[0])
		create(ctx, f)
		expectField(ctx, members[0], f.target, "/status/readyReplicas", 1)
		remove(ctx, f)
		Eventually(ctx, func() []metav1.PartialObjectMetadata { return replicaSets(ctx, members[0], f.GetNamespace()) }).Should(BeEmpty())
	})

	It("in the foreground waits for what depends on the object, and in the background does not", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		policies := map[string]*federated{}
		for _, policy := range []string{"Foreground", "Background"} {
			f := federate("Deployment", ns, strings.ToLower(policy), workload(fields{"replicas": 0})).on(members[0])
			f.annotate("kubefed.io/deleteoption", `{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"`+policy+`"}`)
			policies[policy] = create(ctx, f)
		}
		hold := func(ctx context.Context, f *federated, finalizers ...string) {
			GinkgoHelper()
			for _, set := range replicaSets(ctx, members[0], ns) {
				if set.OwnerReferences[0].Name == f.GetName() {
					r := ref{GroupVersionKind: kinds["ReplicaSet"].WithKind("ReplicaSet"), Namespace: ns, Name: set.Name}
					tamper(ctx, members[0], r, func(u *unstructured.Unstructured) {
						others := slices.DeleteFunc(u.GetFinalizers(), func(name string) bool { return name == held })
						u.SetFinalizers(append(others, finalizers...))
					})
				}
			}
		}
		Eventually(ctx, func() int { return len(replicaSets(ctx, members[0], ns)) }).Should(Equal(2))
		for _, f := range policies {
			expectSettled(ctx, f, members[0])
			hold(ctx, f, held)
			DeferCleanup(func(ctx SpecContext) { hold(ctx, f) })
			Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
		}
		expectGone(ctx, host, policies["Background"].ref())
		expectMissing(ctx, members[0], policies["Background"].target)
		foreground := policies["Foreground"]
		expectField(ctx, members[0], foreground.target, "/metadata/finalizers", list{"foregroundDeletion"})
		expectWord(ctx, foreground, members[0], "WaitingForRemoval", "being deleted")
		hold(ctx, foreground)
		expectGone(ctx, host, foreground.ref())
		expectMissing(ctx, members[0], foreground.target)
	})

	It("with options that cannot be read deletes nothing, until they are mended", func(ctx SpecContext) {
		f := configMap(federatedNamespace(ctx), "unreadable", fields{"a": "1"}).on(members[0], members[1])
		f.annotate("kubefed.io/deleteoption", `{"propagationPolicy":`)
		create(ctx, f)
		expectSettled(ctx, f, members[0], members[1])
		Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
		for _, c := range members[:2] {
			expectWord(ctx, f, c, "DeletionFailed", "metadata.annotations[kubefed.io/deleteoption]", "must be DeleteOptions as JSON")
			Expect(found(ctx, c, f.target).GetDeletionTimestamp()).To(BeNil())
		}
		expectEvent(ctx, f, "DeletionFailed", members[0].Name, "deleteoption")
		change(ctx, f, func(f *federated) { f.annotate("kubefed.io/deleteoption", `{"gracePeriodSeconds":0}`) })
		expectGone(ctx, host, f.ref())
		expectMissing(ctx, members[0], f.target)
		expectMissing(ctx, members[1], f.target)
	})

	It("of the namespace in the host takes all that was federated from it", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		inside := []*federated{
			create(ctx, configMap(ns, "one", fields{"a": "1"}).on(members...)),
			create(ctx, federate("Secret", ns, "two", fields{"data": fields{"a": "eA=="}}).on(members...)),
			create(ctx, federate("Deployment", ns, "three", workload(fields{"replicas": 1})).on(members...)),
		}
		for _, f := range inside {
			expectSettled(ctx, f, members...)
		}
		Expect(host.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})).To(Succeed())
		namespace := ref{GroupVersionKind: kinds["Namespace"].WithKind("Namespace"), Name: ns}
		for _, c := range members {
			expectGone(ctx, c, namespace)
		}
		Eventually(ctx, func() error {
			_, err := read(ctx, host, namespace)
			return client.IgnoreNotFound(err)
		}).Should(Succeed())
		expectGone(ctx, host, namespace)
	})
})

var _ = Describe("A deletion with --cascade=orphan", func() {
	It("leaves the objects in the members, without the label", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		var uids []types.UID
		var kept []*federated
		for _, name := range []string{"one", "two", "three"} {
			f := create(ctx, configMap(ns, name, fields{"a": "1"}).on(members[0]))
			expectSettled(ctx, f, members[0])
			kept, uids = append(kept, f), append(uids, found(ctx, members[0], f.target).GetUID())
		}
		for i, f := range kept {
			Expect(host.Delete(ctx, f.Unstructured, client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(Succeed())
			expectGone(ctx, host, f.ref())
			expectField(ctx, members[0], f.target, "/metadata/labels", nil)
			Expect(found(ctx, members[0], f.target).GetUID()).To(Equal(uids[i]))
		}
	})
})

var _ = Describe("A deletion that the annotations leave open", func() {
	DescribeTable("is said before anybody deletes the object, and waits until they are mended", func(ctx SpecContext, annotation, says, mended string) {
		f := create(ctx, configMap(federatedNamespace(ctx), "open", fields{"a": "1"}).on(members[0]).annotate(annotation, "yse"))
		expectSettled(ctx, f, members[0])
		Eventually(ctx, func() map[string]any { return conditionOf(found(ctx, host, f.ref()), "Accepted") }).Should(And(
			HaveKeyWithValue("reason", "InvalidDeletion"), HaveKeyWithValue("message", ContainSubstring("metadata.annotations["+annotation+"]: "+says))))
		Expect(host.Delete(ctx, f.DeepCopy())).To(Succeed())
		expectWord(ctx, f, members[0], "DeletionFailed", annotation)
		change(ctx, f, func(f *federated) { f.annotate(annotation, mended) })
		expectGone(ctx, host, f.ref())
		expectMissing(ctx, members[0], f.target)
	},
		Entry("of orphans", "kubefed.io/orphan", `must be "true" or "false", is "yse"`, "false"),
		Entry("of options", "kubefed.io/deleteoption", "must be DeleteOptions as JSON", "{}"),
	)
})

// replicaSets returns the ReplicaSets of a namespace that are not being deleted.
func replicaSets(ctx context.Context, c *framework.Cluster, namespace string) []metav1.PartialObjectMetadata {
	GinkgoHelper()
	sets := &metav1.PartialObjectMetadataList{}
	sets.SetGroupVersionKind(kinds["ReplicaSet"].WithKind("ReplicaSetList"))
	Expect(c.List(ctx, sets, client.InNamespace(namespace))).To(Succeed())
	return sets.Items
}

var _ = Describe("The host as a member", localOnly, Ordered, Serial, func() {
	BeforeAll(func(ctx SpecContext) {
		Expect(system.Join(ctx, host.Name)).To(Succeed())
		Expect(system.WaitForMember(ctx, host.Name, true)).To(Succeed())
	})
	AfterAll(func(ctx SpecContext) { fedctl(ctx, "unjoin", host.Name) })

	It("keeps its own namespace, which is adopted and never deleted", func(ctx SpecContext) {
		ns := plainNamespace(ctx)
		namespace := create(ctx, federate("Namespace", ns, ns, nil).on(host, members[0]))
		expectSettled(ctx, namespace, host, members[0])
		expectField(ctx, host, namespace.target, "/metadata/labels/kubefed.io~1managed", "true")

		f := create(ctx, configMap(ns, "here", fields{"a": "1"}).on(host, members[0]))
		expectField(ctx, host, f.target, "/data/a", "1")
		expectSettled(ctx, f, host, members[0])

		By("leaving the placement")
		change(ctx, namespace, func(f *federated) { f.on(members[0]) })
		expectField(ctx, host, namespace.target, "/metadata/labels/kubefed.io~1managed", nil)
		expectGone(ctx, host, f.target)
		expectSettled(ctx, f, members[0])

		By("coming back, and being deleted")
		change(ctx, namespace, func(f *federated) { f.on(host, members[0]) })
		expectField(ctx, host, f.target, "/data/a", "1")
		remove(ctx, namespace)
		expectMissing(ctx, members[0], namespace.target)
		u := found(ctx, host, namespace.target)
		Expect(u.GetDeletionTimestamp()).To(BeNil())
		Expect(u.GetLabels()).NotTo(HaveKey(managed))
	})

	It("does not keep a namespace of the host from being deleted", func(ctx SpecContext) {
		ns := plainNamespace(ctx)
		namespace := create(ctx, federate("Namespace", ns, ns, nil).on(host, members[0]))
		f := create(ctx, configMap(ns, "inside", fields{"a": "1"}).on(host, members[0]))
		expectSettled(ctx, namespace, host, members[0])
		expectSettled(ctx, f, host, members[0])
		Expect(host.Delete(ctx, found(ctx, host, namespace.target))).To(Succeed())
		expectGone(ctx, host, namespace.target)
		expectGone(ctx, members[0], namespace.target)
	}, NodeTimeout(5*time.Minute))

	It("says when the label cannot be taken off: LabelRemovalFailed, LabelRemovalTimedOut", func(ctx SpecContext) {
		ns := plainNamespace(ctx)
		namespace := create(ctx, federate("Namespace", ns, ns, nil).on(host, members[0]))
		expectSettled(ctx, namespace, host, members[0])
		g := gate(ctx, host, "", "namespaces", ns, found(ctx, host, namespace.target))

		g.Deny("hands off")
		change(ctx, namespace, func(f *federated) { f.on(members[0]) })
		expectStatus(ctx, namespace, "CheckClusters", map[string]string{host.Name: "LabelRemovalFailed", members[0].Name: ""})
		expectWord(ctx, namespace, host, "LabelRemovalFailed", "hands off")
		g.Open()
		expectSettled(ctx, namespace, members[0])
		expectField(ctx, host, namespace.target, "/metadata/labels/kubefed.io~1managed", nil)

		change(ctx, namespace, func(f *federated) { f.on(host, members[0]) })
		expectSettled(ctx, namespace, host, members[0])
		g.Hold()
		change(ctx, namespace, func(f *federated) { f.on(members[0]) })
		expectStatus(ctx, namespace, "CheckClusters", map[string]string{host.Name: "LabelRemovalTimedOut", members[0].Name: ""})
		g.Open()
		expectSettled(ctx, namespace, members[0])
		expectField(ctx, host, namespace.target, "/metadata/labels/kubefed.io~1managed", nil)
	}, NodeTimeout(5*time.Minute))

	It("is adopted also where nothing else is", func(ctx SpecContext) {
		Expect(system.Controller.Restart(ctx, "--adopt-resources=false")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Controller.Restart(ctx)).To(Succeed()) })
		ns := plainNamespace(ctx)
		namespace := create(ctx, federate("Namespace", ns, ns, nil).on(host, members[0]))
		expectSettled(ctx, namespace, host, members[0])
		expectField(ctx, host, namespace.target, "/metadata/labels/kubefed.io~1managed", "true")
		remove(ctx, namespace)
		expectField(ctx, host, namespace.target, "/metadata/labels/kubefed.io~1managed", nil)
	}, NodeTimeout(5*time.Minute))
})
