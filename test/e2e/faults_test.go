package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// stop stops a member until the end of the spec, or until it is started again.
func stop(ctx context.Context, c *framework.Cluster) {
	GinkgoHelper()
	Expect(system.Faults().StopMember(ctx, c.Name)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { start(ctx, c) }, NodeTimeout(3*time.Minute))
	Expect(system.WaitForMember(ctx, c.Name, false)).To(Succeed())
}

// start starts a stopped member.
func start(ctx context.Context, c *framework.Cluster) {
	GinkgoHelper()
	Expect(system.Faults().StartMember(ctx, c.Name)).To(Succeed())
	Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
}

var _ = Describe("Faults of a member", localOnly, Ordered, Serial, func() {
	var broken, healthy *framework.Cluster
	BeforeAll(func() { healthy, broken = members[0], members[1] })

	It("stopped: the others go on, and it is brought up to date when it is back", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		updated := create(ctx, configMap(ns, "updated", fields{"a": "1", "b": "1"}).on(healthy, broken))
		leaving := create(ctx, configMap(ns, "leaving", fields{"a": "1"}).on(healthy, broken))
		deleted := create(ctx, configMap(ns, "deleted", fields{"a": "1"}).on(healthy, broken))
		for _, f := range []*federated{updated, leaving, deleted} {
			expectSettled(ctx, f, healthy, broken)
		}
		stop(ctx, broken)
		expectStatus(ctx, updated, "CheckClusters", map[string]string{healthy.Name: "", broken.Name: "ClusterNotReady"})

		By("creating, updating, moving and deleting meanwhile")
		created := create(ctx, configMap(ns, "created", fields{"a": "1"}).on(healthy, broken))
		change(ctx, updated, func(f *federated) {
			set(f.template(), "/data/a", "2")
			set(f.template(), "/data/b", nil)
		})
		change(ctx, leaving, func(f *federated) { f.on(healthy) })
		Expect(host.Delete(ctx, deleted.Unstructured)).To(Succeed())
		expectField(ctx, healthy, created.target, "/data/a", "1")
		expectField(ctx, healthy, updated.target, "/data/a", "2")
		expectGone(ctx, healthy, deleted.target)
		expectStatus(ctx, created, "CheckClusters", map[string]string{healthy.Name: "", broken.Name: "ClusterNotReady"})
		expectStatus(ctx, updated, "CheckClusters", map[string]string{healthy.Name: "", broken.Name: "ClusterNotReady"})
		expectStatus(ctx, leaving, "CheckClusters", map[string]string{healthy.Name: "", broken.Name: "WaitingForRemoval"})
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, deleted.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(outcomeOf(u).Clusters).To(Equal(map[string]string{broken.Name: "WaitingForRemoval"}))
		}).Should(Succeed())

		By("starting it again")
		start(ctx, broken)
		expectField(ctx, broken, created.target, "/data/a", "1")
		expectField(ctx, broken, updated.target, "/data", fields{"a": "2"})
		expectGone(ctx, broken, leaving.target)
		expectGone(ctx, broken, deleted.target)
		expectGone(ctx, host, deleted.ref())
		expectSettled(ctx, created, healthy, broken)
		expectSettled(ctx, updated, healthy, broken)
		expectSettled(ctx, leaving, healthy)
	}, NodeTimeout(8*time.Minute))

	It("hung: the others get their changes while it hangs", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		var all []*federated
		for i := range 30 {
			all = append(all, create(ctx, configMap(ns, fmt.Sprintf("hung-%d", i), fields{"a": "1"}).on(healthy, broken)))
		}
		for _, f := range all {
			expectSettled(ctx, f, healthy, broken)
		}
		Expect(system.Faults().Pause(broken.Name)).To(Succeed())
		resume := func() { Expect(system.Faults().Resume(broken.Name)).To(Succeed()) }
		DeferCleanup(resume)

		By("changing objects at once, before anybody has noticed")
		for _, f := range all {
			change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		}
		fresh := create(ctx, configMap(ns, "fresh", fields{"a": "1"}).on(healthy, broken))
		for _, f := range all {
			expectField(ctx, healthy, f.target, "/data/a", "2")
		}
		expectField(ctx, healthy, fresh.target, "/data/a", "1")

		By("waiting until it counts as broken")
		Expect(system.WaitForMember(ctx, broken.Name, false)).To(Succeed())
		expectStatus(ctx, fresh, "CheckClusters", map[string]string{healthy.Name: "", broken.Name: "ClusterNotReady"})

		By("letting it go on")
		resume()
		Expect(system.WaitForMember(ctx, broken.Name, true)).To(Succeed())
		for _, f := range append(all, fresh) {
			expectSettled(ctx, f, healthy, broken)
		}
		expectField(ctx, broken, all[0].target, "/data/a", "2")
		expectField(ctx, broken, fresh.target, "/data/a", "1")
	}, NodeTimeout(8*time.Minute))

	It("revoked credentials: reported, and all is well after joining again", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, configMap(ns, "revoked", fields{"a": "1"}).on(healthy, broken))
		drifted := create(ctx, configMap(ns, "drifted", fields{"a": "1"}).on(healthy, broken))
		lost := create(ctx, configMap(ns, "lost", fields{"a": "1"}).on(healthy, broken))
		for _, f := range []*federated{f, drifted, lost} {
			expectSettled(ctx, f, healthy, broken)
		}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: framework.KubeFedNamespace, Name: broken.Name + "-" + host.Name}}
		Expect(broken.Delete(ctx, account)).To(Succeed())
		Expect(system.WaitForMember(ctx, broken.Name, false)).To(Succeed())
		expectStatus(ctx, f, "CheckClusters", map[string]string{healthy.Name: "", broken.Name: "ClusterNotReady"})

		By("changing things on both sides")
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		expectField(ctx, healthy, f.target, "/data/a", "2")
		tamper(ctx, broken, drifted.target, func(u *unstructured.Unstructured) { set(u.Object, "/data/a", "drifted") })
		Expect(broken.Delete(ctx, found(ctx, broken, lost.target))).To(Succeed())

		By("joining it again")
		Expect(system.Join(ctx, broken.Name)).To(Succeed())
		Expect(system.WaitForMember(ctx, broken.Name, true)).To(Succeed())
		expectField(ctx, broken, f.target, "/data/a", "2")
		expectField(ctx, broken, drifted.target, "/data/a", "1")
		expectField(ctx, broken, lost.target, "/data/a", "1")
		for _, f := range []*federated{f, drifted, lost} {
			expectSettled(ctx, f, healthy, broken)
		}
	}, NodeTimeout(8*time.Minute))

	It("gone for good: a deletion waits until it is unjoined", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, configMap(ns, "left", fields{"a": "1"}).on(healthy, broken))
		orphaned := create(ctx, configMap(ns, "orphaned", fields{"a": "1"}).on(healthy, broken).annotate("kubefed.io/orphan", "true"))
		expectSettled(ctx, f, healthy, broken)
		expectSettled(ctx, orphaned, healthy, broken)
		stop(ctx, broken)
		Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
		expectGone(ctx, healthy, f.target)
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(outcomeOf(u).Clusters).To(Equal(map[string]string{broken.Name: "WaitingForRemoval"}))
			g.Expect(outcomeOf(u).Messages[broken.Name]).To(ContainSubstring("fedctl unjoin " + broken.Name + " --force"))
		}).Should(Succeed())

		By("deleting what is to be orphaned, which waits for nobody")
		remove(ctx, orphaned)
		expectField(ctx, healthy, orphaned.target, "/metadata/labels", nil)

		fedctl(ctx, "unjoin", broken.Name, "--force")
		expectGone(ctx, host, f.ref())

		By("joining it again: what it kept is no longer ours")
		Expect(system.Faults().StartMember(ctx, broken.Name)).To(Succeed())
		Expect(system.Join(ctx, broken.Name)).To(Succeed())
		Expect(system.WaitForMember(ctx, broken.Name, true)).To(Succeed())
		for _, left := range []*federated{f, orphaned} {
			expectField(ctx, broken, left.target, "/metadata/labels", nil)
			expectField(ctx, broken, left.target, "/data/a", "1")
		}
	}, NodeTimeout(8*time.Minute))

	AfterEach(func(ctx SpecContext) {
		// A spec that failed half way must not break those after it.
		if CurrentSpecReport().Failed() {
			_ = system.Faults().Resume(broken.Name)
			Expect(system.Faults().StartMember(ctx, broken.Name)).To(Succeed())
			Expect(system.Join(ctx, broken.Name)).To(Succeed())
		}
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("Conflicts in the host", func() {
	It("do not keep a change from getting through", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "busy", fields{"a": "0"}).on(members[0], members[1]))
		busy := f.DeepCopy()
		looping, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		DeferCleanup(func() { stop(); <-done })
		go func() {
			defer GinkgoRecover()
			defer close(done)
			for i := 0; looping.Err() == nil; i++ {
				raw := fmt.Appendf(nil, `{"metadata":{"annotations":{"e2e.example.com/tick":"%d"}}}`, i)
				err := host.Patch(looping, busy.DeepCopy(), client.RawPatch("application/merge-patch+json", raw))
				Expect(err == nil || looping.Err() != nil || apierrors.IsConflict(err) || apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
			}
		}()
		for i := 1; i <= 5; i++ {
			change(ctx, f, func(f *federated) { set(f.template(), "/data/a", fmt.Sprint(i)) })
			expectField(ctx, members[0], f.target, "/data/a", fmt.Sprint(i))
			expectField(ctx, members[1], f.target, "/data/a", fmt.Sprint(i))
		}
		expectSettled(ctx, f, members[0], members[1])
		remove(ctx, f)
	})
})
