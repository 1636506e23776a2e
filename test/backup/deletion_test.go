package backup

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var _ = Describe("Deleting a Backup", func() {
	var (
		c  client.Client
		ns string
	)
	eachInHost(&c, &ns)

	saved := func(ctx context.Context, policy v1alpha1.DeletionPolicy) *v1alpha1.Backup {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.DeletionPolicy = policy })
		execute(nil, ns)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		return b
	}

	It("keeps what is stored, and its runs", func(ctx SpecContext) {
		b := saved(ctx, v1alpha1.DeletionRetain)
		Expect(c.Delete(ctx, b)).To(Succeed())
		expectGone(ctx, c, b)
		Expect(snapshots(ctx, ns)).To(HaveLen(1))
		Expect(runsIn(ctx, c, ns)).To(HaveLen(1))
	}, SpecTimeout(8*time.Minute))

	It("deletes what is stored, where the policy is Delete", func(ctx SpecContext) {
		b := saved(ctx, v1alpha1.DeletionDelete)
		Expect(c.Delete(ctx, b)).To(Succeed())
		expectGone(ctx, c, b)
		Expect(snapshots(ctx, ns)).To(BeEmpty())
		Expect(runsIn(ctx, c, ns)).To(BeEmpty())
	}, SpecTimeout(8*time.Minute))

	// expectHowToLetGo waits for the message that a Backup ends up with when its data is out of
	// reach: that there is no repository may have been said before, for another reason.
	expectHowToLetGo := func(ctx context.Context, b *v1alpha1.Backup) {
		GinkgoHelper()
		Eventually(ctx, func(g Gomega) {
			ready := meta.FindStatusCondition(current(ctx, c, b).Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).NotTo(BeNil())
			g.Expect(ready.Status).To(Equal(metav1.ConditionFalse))
			g.Expect(ready.Reason).To(Equal("RepositoryNotFound"))
			g.Expect(ready.Message).To(ContainSubstring("set spec.deletionPolicy to Retain"))
		}).Should(Succeed())
	}
	loseRepository := func(ctx context.Context) {
		GinkgoHelper()
		Expect(c.Delete(ctx, &v1alpha1.BackupRepository{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "store"}})).To(Succeed())
	}

	It("waits for a repository that is gone, and says how to let it go", func(ctx SpecContext) {
		b := saved(ctx, v1alpha1.DeletionDelete)
		loseRepository(ctx)
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "RepositoryNotFound")
		Expect(c.Delete(ctx, b)).To(Succeed())
		expectHowToLetGo(ctx, b)
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.DeletionPolicy = v1alpha1.DeletionRetain })
		expectGone(ctx, c, b)
		Expect(snapshots(ctx, ns)).To(HaveLen(1))
	}, SpecTimeout(8*time.Minute))

	It("says how to let it go also while others write to it", func(ctx SpecContext) {
		b := saved(ctx, v1alpha1.DeletionDelete)
		loseRepository(ctx)
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "RepositoryNotFound")
		writing, stop := context.WithCancel(ctx)
		DeferCleanup(stop)
		var writes atomic.Int64
		go func() {
			for writing.Err() == nil {
				patch := fmt.Sprintf(`{"metadata":{"annotations":{"example.com/writes":"%d"}}}`, writes.Add(1))
				_ = c.Patch(writing, b.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)))
			}
		}()
		Eventually(writes.Load).Should(BeNumerically(">", 10))
		Expect(c.Delete(ctx, b)).To(Succeed())
		expectHowToLetGo(ctx, b)
		stop()
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.DeletionPolicy = v1alpha1.DeletionRetain })
		expectGone(ctx, c, b)
	}, SpecTimeout(8*time.Minute))

	It("does not keep its namespace", func(ctx SpecContext) {
		b := saved(ctx, v1alpha1.DeletionDelete)
		Expect(c.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})).To(Succeed())
		expectGone(ctx, c, b)
		expectGone(ctx, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})
	}, SpecTimeout(8*time.Minute))
})
