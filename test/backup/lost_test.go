package backup

import (
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/executor"
)

// often makes an executor look at repositories often, and give servers little time.
func often(o *executor.Options) {
	o.CheckPeriod, o.StorageTimeout = 500*time.Millisecond, 5*time.Second
}

var _ = Describe("A repository that is lost", func() {
	It("is not begun anew unless somebody says so", func(ctx SpecContext) {
		c := clients[host.Name]
		ns := namespace(ctx, c)
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, once)
		execute(nil, ns, often)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

		By("finding the directory empty, as where a volume is not mounted")
		aside := pathOf(ns) + "-aside"
		Expect(os.Rename(pathOf(ns), aside)).To(Succeed())
		Expect(os.Mkdir(pathOf(ns), 0o700)).To(Succeed())
		failed := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)
		Expect(failed.Status.Reason).To(Equal("NotFound"))
		Expect(failed.Status.Message).To(ContainSubstring("bring the data back, or make a new BackupRepository to start afresh"))
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "NotFound", ContainSubstring("what was saved in it is lost"))
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "NotFound")
		Expect(filepath.Glob(filepath.Join(pathOf(ns), "*"))).To(BeEmpty(), "nothing is written")

		By("finding no directory")
		Expect(os.Remove(pathOf(ns))).To(Succeed())
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "BucketMissing")
		Expect(pathOf(ns)).NotTo(BeADirectory())

		By("bringing the data back")
		Expect(os.Rename(aside, pathOf(ns))).To(Succeed())
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready", ContainSubstring(failed.Name)) // before the next run
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(snapshots(ctx, ns)).To(HaveLen(2))

		By("naming another place")
		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns) + "-other" })
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(snapshots(ctx, ns+"-other")).To(HaveLen(1))
		Eventually(ctx, func() string { return current(ctx, c, repo).Status.Location }).Should(HaveSuffix("-other"))

		By("making a new BackupRepository for what is lost")
		Expect(os.RemoveAll(pathOf(ns) + "-other")).To(Succeed())
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "BucketMissing")
		Expect(c.Delete(ctx, repo)).To(Succeed())
		expectGone(ctx, c, repo)
		store(ctx, c, ns, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns) + "-other" })
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(snapshots(ctx, ns+"-other")).To(HaveLen(1))
	}, SpecTimeout(10*time.Minute))
})
