package e2e

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// many is how many objects the specs about load and restarts use.
const many = 200

// createMany creates federated ConfigMaps, several at a time.
func createMany(ctx context.Context, ns string, clusters ...*framework.Cluster) {
	GinkgoHelper()
	createSome(ctx, ns, 0, many, clusters...)
}

// createSome creates those of the many from one to another.
func createSome(ctx context.Context, ns string, from, to int, clusters ...*framework.Cluster) {
	GinkgoHelper()
	var wait sync.WaitGroup
	errs := make(chan error, to-from)
	for worker := range 8 {
		wait.Go(func() {
			for i := from + worker; i < to; i += 8 {
				errs <- host.Create(ctx, configMap(ns, fmt.Sprintf("n-%d", i), fields{"a": "1"}).on(clusters...).Unstructured)
			}
		})
	}
	wait.Wait()
	close(errs)
	for err := range errs {
		Expect(err).NotTo(HaveOccurred())
	}
}

// countIn returns how many managed ConfigMaps a namespace of a member has.
func countIn(ctx context.Context, c *framework.Cluster, ns string) int {
	GinkgoHelper()
	found := &metav1.PartialObjectMetadataList{}
	found.SetGroupVersionKind(kinds["ConfigMap"].WithKind("ConfigMapList"))
	Expect(c.List(ctx, found, client.InNamespace(ns), client.MatchingLabels{managed: "true"})).To(Succeed())
	return len(found.Items)
}

// settledIn returns how many federated ConfigMaps of a namespace are settled, in one request to the host.
func settledIn(ctx context.Context, ns string, clusters int) int {
	GinkgoHelper()
	objects := &unstructured.UnstructuredList{}
	objects.SetAPIVersion("types.kubefed.io/v1beta1")
	objects.SetKind("FederatedConfigMapList")
	Expect(host.List(ctx, objects, client.InNamespace(ns))).To(Succeed())
	n := 0
	for i := range objects.Items {
		u := &objects.Items[i]
		observed, _, _ := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
		if o := outcomeOf(u); o.Propagation == "True" && len(o.Clusters) == clusters && observed == u.GetGeneration() {
			n++
		}
	}
	return n
}

var _ = Describe("The controller", localOnly, Serial, func() {
	It("killed in the middle of a rollout, goes on where it was", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		created := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(created)
			createSome(ctx, ns, 0, many/2, members...)
		}()
		Eventually(ctx, func() int { return countIn(ctx, members[0], ns) }).Should(BeNumerically(">", 20))
		Expect(system.Controller.Kill(ctx)).To(Succeed())
		<-created
		createSome(ctx, ns, many/2, many, members...) // which it cannot have seen, however fast it was
		Expect(system.Controller.Start(ctx)).To(Succeed())
		for _, c := range members {
			Eventually(ctx, func() int { return countIn(ctx, c, ns) }).Should(Equal(many))
		}
		Eventually(ctx, func() int { return settledIn(ctx, ns, len(members)) }).Should(Equal(many))
	}, NodeTimeout(8*time.Minute))

	It("ends when the host does not answer for longer than it may lead, and the next one writes nothing", func(ctx SpecContext) {
		Expect(system.Controller.Restart(ctx, "--leader-elect-lease-duration=15s", "--leader-elect-renew-deadline=12s", "--leader-elect-retry-period=500ms")).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Controller.Restart(ctx)).To(Succeed()) })
		f := create(ctx, configMap(federatedNamespace(ctx), "there", fields{"a": "1"}).on(members...))
		expectSettled(ctx, f, members...)
		there := found(ctx, members[0], f.target)

		Expect(system.Faults().Pause(host.Name)).To(Succeed())
		resume := sync.OnceFunc(func() { Expect(system.Faults().Resume(host.Name)).To(Succeed()) })
		DeferCleanup(resume)
		Eventually(ctx, system.Controller.Running).WithTimeout(2 * time.Minute).Should(BeFalse())
		Expect(system.Controller.LogTail(20)).To(Or(ContainSubstring("leader election lost"), ContainSubstring("does not lead any more")))
		resume()
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		change(ctx, f, func(f *federated) { f.on(members[0], members[1]) })
		expectGone(ctx, members[2], f.target)
		expectSettled(ctx, f, members[0], members[1])
		Expect(found(ctx, members[0], f.target).GetResourceVersion()).To(Equal(there.GetResourceVersion()))
	}, NodeTimeout(8*time.Minute))

	It("finds what changed while it was away", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		updated := create(ctx, configMap(ns, "updated", fields{"a": "1", "b": "1"}).on(members[0]))
		drifted := create(ctx, configMap(ns, "drifted", fields{"a": "1"}).on(members[0]))
		lost := create(ctx, configMap(ns, "lost", fields{"a": "1"}).on(members[0]))
		moved := create(ctx, configMap(ns, "moved", fields{"a": "1"}).on(members[0]))
		deleted := create(ctx, configMap(ns, "deleted", fields{"a": "1"}).on(members[0]))
		for _, f := range []*federated{updated, drifted, lost, moved, deleted} {
			expectSettled(ctx, f, members[0])
		}
		Expect(system.Controller.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			if !system.Controller.Running() {
				Expect(system.Controller.Start(ctx)).To(Succeed())
			}
		})
		change(ctx, updated, func(f *federated) { set(f.template(), "/data/b", nil) })
		tamper(ctx, members[0], drifted.target, func(u *unstructured.Unstructured) { set(u.Object, "/data/a", "drifted") })
		Expect(members[0].Delete(ctx, found(ctx, members[0], lost.target))).To(Succeed())
		change(ctx, moved, func(f *federated) { f.on(members[1]) })
		Expect(host.Delete(ctx, deleted.Unstructured)).To(Succeed())

		Expect(system.Controller.Start(ctx)).To(Succeed())
		expectField(ctx, members[0], updated.target, "/data", fields{"a": "1"})
		expectField(ctx, members[0], drifted.target, "/data/a", "1")
		expectField(ctx, members[0], lost.target, "/data/a", "1")
		expectField(ctx, members[1], moved.target, "/data/a", "1")
		expectGone(ctx, members[0], moved.target)
		expectGone(ctx, host, deleted.ref())
		expectMissing(ctx, members[0], deleted.target)
		expectSettled(ctx, updated, members[0])
		expectSettled(ctx, drifted, members[0])
		expectSettled(ctx, lost, members[0])
		expectSettled(ctx, moved, members[1])
	}, NodeTimeout(8*time.Minute))
})
