package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/executor"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// spoil changes all bytes of all packs in a directory, and returns what was in them. To
// change one would not do: much of a small pack is padding.
func spoil(directory string) (before map[string][]byte) {
	GinkgoHelper()
	before = map[string][]byte{}
	for _, pack := range packsIn(directory) {
		data, err := os.ReadFile(pack)
		Expect(err).NotTo(HaveOccurred())
		before[pack] = bytes.Clone(data)
		for i := range data {
			data[i] ^= 1
		}
		Expect(os.Chmod(pack, 0o600)).To(Succeed())
		Expect(os.WriteFile(pack, data, 0o600)).To(Succeed())
	}
	Expect(before).NotTo(BeEmpty())
	return before
}

var _ = Describe("Data that vanishes from the storage", func() {
	It("is saved anew by the next run where it is still in the cluster, and named where it is not", func(ctx SpecContext) {
		c := clients[host.Name]
		ns := namespace(ctx, c)
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			once(s)
			s.Source.IncludedResources = []string{"configmaps"} // all else changes with each run
		})
		random := make([]byte, 200<<10)
		big := func(name string) *corev1.ConfigMap {
			_, err := rand.Read(random)
			Expect(err).NotTo(HaveOccurred())
			object := &corev1.ConfigMap{Data: map[string]string{"d": base64.StdEncoding.EncodeToString(random)}}
			object.Namespace, object.Name = ns, name
			Expect(c.Create(ctx, object)).To(Succeed())
			return object
		}
		leaving := big("leaving")
		big("staying")
		execute(nil, ns, often)
		first := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionTrue, "Intact")
		Expect(c.Delete(ctx, leaving)).To(Succeed())
		second := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionTrue, "Quick")

		By("deleting the packs, as a rule of a bucket does")
		packs := packsIn(pathOf(ns))
		Expect(packs).NotTo(BeEmpty())
		for _, pack := range packs {
			Expect(os.Remove(pack)).To(Succeed())
		}
		expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionFalse, "DataLost",
			ContainSubstring(first.Name), ContainSubstring(second.Name), ContainSubstring("packs that are gone"), ContainSubstring("the next run"))

		verified := func(ctx context.Context, run *v1alpha1.BackupRun) string {
			found := meta.FindStatusCondition(current(ctx, c, run).Status.Conditions, v1alpha1.ConditionVerified)
			if found == nil {
				return ""
			}
			return string(found.Status) + " " + found.Reason
		}
		Eventually(ctx, verified).WithArguments(first).Should(Equal("False Corrupt"), "whoever needs it before the next run is told")
		Eventually(ctx, verified).WithArguments(second).Should(Equal("False Corrupt"))
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionFalse, "Corrupt")
		Eventually(ctx, func() any { return current(ctx, c, b).Status.LastSuccess }).Should(BeNil())

		third := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Eventually(ctx, verified).WithArguments(first).Should(Equal("False Corrupt"), "what is gone from the cluster, too, is lost")
		Eventually(ctx, verified).WithArguments(second).Should(Equal("True Checksum"), "everything that it saved was saved again")
		Eventually(ctx, verified).WithArguments(third).Should(Equal("True Quick"))
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionTrue, "Quick", ContainSubstring("older runs are damaged"))
		Eventually(ctx, func() any { return current(ctx, c, b).Status.LastSuccess }).Should(HaveValue(HaveField("Name", third.Name)))

		By("deleting the run that is lost for good, as the condition says")
		Eventually(ctx, func() string {
			return expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionFalse, "DataLost")
		}).Should(And(ContainSubstring(first.Name), ContainSubstring("delete those runs"), Not(ContainSubstring(second.Name)), Not(ContainSubstring(third.Name))))
		Expect(c.Delete(ctx, first)).To(Succeed())
		expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionTrue, "Intact", ContainSubstring(first.Name)) // what is in the storage of it is no good

		open, err := repository.OpenReadOnly(ctx, repository.Config{Storage: &repository.Filesystem{Path: pathOf(ns)}, Password: "correct horse battery staple"})
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(open.Close(ctx)).To(Succeed()) }()
		Expect(open.Verify(ctx, second.Status.SnapshotID, true)).To(Succeed())
		Expect(open.Verify(ctx, third.Status.SnapshotID, true)).To(Succeed())
		Expect(repository.ReasonOf(open.Verify(ctx, first.Status.SnapshotID, true))).To(Equal(repository.Corrupt))
	}, SpecTimeout(10*time.Minute))

	It("is found by reading a share of it in each run", func(ctx SpecContext) {
		c := clients[host.Name]
		ns := namespace(ctx, c)
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			once(s)
			s.Source.IncludedResources = []string{"configmaps"}
		})
		clock := stopped(b.CreationTimestamp.Time)
		execute(clock, ns, func(o *executor.Options) { o.CheckPeriod = time.Hour })
		expectRead := func(ctx context.Context) {
			GinkgoHelper()
			Eventually(ctx, func() *metav1.Time { return current(ctx, c, repo).Status.ReadUntil }).
				Should(HaveField("Time", BeTemporally("~", clock.Now(), time.Second)))
		}
		first := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectRead(ctx)

		By("changing what is in the packs")
		spoil(pathOf(ns))
		clock.Step(31 * 24 * time.Hour)
		second := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectRead(ctx)
		open, err := repository.OpenReadOnly(ctx, repository.Config{Storage: &repository.Filesystem{Path: pathOf(ns)}, Password: "correct horse battery staple"})
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(open.Close(ctx)).To(Succeed()) }()
		Expect(open.Verify(ctx, first.Status.SnapshotID, true)).To(Succeed(), "what it saved was saved again")
		Expect(open.Verify(ctx, second.Status.SnapshotID, true)).To(Succeed())
	}, SpecTimeout(10*time.Minute))

	It("is told by all conditions as soon as anybody has found it, and when it is back", func(ctx SpecContext) {
		c := clients[host.Name]
		ns := namespace(ctx, c)
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			once(s)
			s.Source.IncludedResources = []string{"configmaps"}
		})
		execute(nil, ns, func(o *executor.Options) { o.CheckPeriod = time.Hour })
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionTrue, "Intact")
		lastGood := func() string {
			if last := current(ctx, c, b).Status.LastSuccess; last != nil {
				return last.Name
			}
			return ""
		}
		Eventually(ctx, lastGood).Should(Equal(run.Name))

		By("changing what is in the packs, which a verification finds")
		whole := spoil(pathOf(ns))
		change(ctx, c, run, func(r *v1alpha1.BackupRun) { r.Annotations = map[string]string{v1alpha1.VerifyAnnotation: "true"} })
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionFalse, "Corrupt")
		expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionFalse, "DataLost", ContainSubstring(run.Name))
		Eventually(ctx, lastGood).Should(BeEmpty())

		By("bringing it back, and having it looked at")
		for pack, data := range whole {
			Expect(os.WriteFile(pack, data, 0o600)).To(Succeed())
		}
		fedctl(ctx, "backup", "repository", "check", "store", "-n", ns, "--cluster", host.Name)
		expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionTrue, "Intact")
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionTrue, "Verified")
		Eventually(ctx, lastGood).Should(Equal(run.Name))
	}, SpecTimeout(10*time.Minute))
})
