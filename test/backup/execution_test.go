package backup

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var _ = Describe("Runs", func() {
	var (
		c  client.Client
		ns string
	)
	eachInHost(&c, &ns)

	// concurrent makes a run that hangs and the next tick of its schedule.
	concurrent := func(ctx context.Context, policy v1alpha1.ConcurrencyPolicy) (b *v1alpha1.Backup, first *v1alpha1.BackupRun, tick func()) {
		store(ctx, c, ns, hanging)
		b = backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.Schedule, s.ConcurrencyPolicy = "@daily", policy })
		clock := stopped(b.CreationTimestamp.Time)
		execute(clock, ns)
		clock.Step(24 * time.Hour)
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunRunning) }).Should(HaveLen(1))
		return b, &runsIn(ctx, c, ns)[0], func() { clock.Step(24 * time.Hour) }
	}

	It("are skipped while another one goes on, with Forbid", func(ctx SpecContext) {
		b, first, tick := concurrent(ctx, v1alpha1.ConcurrencyForbid)
		tick()
		Eventually(ctx, func() int32 { return current(ctx, c, b).Status.Missed }).Should(Equal(int32(1)))
		Expect(runsIn(ctx, c, ns)).To(HaveLen(1))
		Expect(current(ctx, c, first).Status.Phase).To(Equal(v1alpha1.RunRunning))
	}, SpecTimeout(8*time.Minute))

	It("take the place of another one, with Replace", func(ctx SpecContext) {
		_, first, tick := concurrent(ctx, v1alpha1.ConcurrencyReplace)
		tick()
		replaced := expectPhase(ctx, c, first, v1alpha1.RunCancelled)
		Expect(replaced.Status.Reason).To(Equal("Replaced"))
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunRunning) }).Should(HaveLen(1))
		Expect(runsIn(ctx, c, ns)).To(HaveLen(2))
	}, SpecTimeout(8*time.Minute))

	It("wait for another one, with Queue, one at most", func(ctx SpecContext) {
		b, first, tick := concurrent(ctx, v1alpha1.ConcurrencyQueue)
		tick()
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunPending) }).Should(HaveLen(1))
		tick()
		Eventually(ctx, func() int32 { return current(ctx, c, b).Status.Missed }).Should(Equal(int32(1)))
		Expect(runsIn(ctx, c, ns)).To(HaveLen(2))
		waiting := &v1alpha1.BackupRun{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: inPhase(runsIn(ctx, c, ns), v1alpha1.RunPending)[0]}}
		Expect(c.Delete(ctx, first)).To(Succeed())
		expectPhase(ctx, c, waiting, v1alpha1.RunRunning)
	}, SpecTimeout(8*time.Minute))

	It("end after spec.timeout", func(ctx SpecContext) {
		store(ctx, c, ns, hanging)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.Timeout = &metav1.Duration{Duration: 2 * time.Second} })
		execute(nil, ns)
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)
		Expect(run.Status.Reason).To(Equal("Timeout"))
		Expect(run.Status.Attempts).To(Equal(int32(1)))
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "Timeout")
	}, SpecTimeout(8*time.Minute))

	It("are tried again, and succeed when the cause is gone", func(ctx SpecContext) {
		// The directory above the repository is missing.
		path := filepath.Join(pathOf(ns), "mount", "repository")
		repo := store(ctx, c, ns, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = path })
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Retry = &v1alpha1.Retry{Limit: ptr.To[int32](20), Backoff: &metav1.Duration{Duration: 100 * time.Millisecond}}
		})
		execute(nil, ns)
		By("whoever has asked for a run now is told now")
		told := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)
		Expect(told.Status.Reason).To(Equal("BucketMissing"))
		By("a run by schedule waits for a volume that is mounted late")
		run := scheduledRun(ctx, c, b)
		Eventually(ctx, func(g Gomega) {
			status := current(ctx, c, run).Status
			g.Expect(status.Attempts).To(BeNumerically(">=", 2))
			g.Expect(status.Reason).To(Or(Equal("BucketMissing"), BeEmpty()))
		}).Should(Succeed())
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "BucketMissing")
		Expect(os.MkdirAll(filepath.Dir(path), 0o700)).To(Succeed())
		expectPhase(ctx, c, run, v1alpha1.RunSucceeded)
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	}, SpecTimeout(8*time.Minute))

	It("say which Secret or repository is missing or wrong", func(ctx SpecContext) {
		b := backup(ctx, c, ns, once)
		execute(nil, ns)
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "RepositoryNotFound")
		failed := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)
		Expect(failed.Status.Message).To(ContainSubstring("BackupRepository store"))

		repo := store(ctx, c, ns, func(r *v1alpha1.BackupRepository) { r.Spec.EncryptionSecretRef.Name = "other" })
		Expect(expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "SecretNotFound")).To(ContainSubstring("Secret other"))
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "SecretNotFound")

		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) { r.Spec.EncryptionSecretRef.Name = "encryption" })
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)

		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "encryption"}}
		change(ctx, c, secret, func(s *corev1.Secret) { s.Data["password"] = []byte("wrong") })
		failed = expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed)
		Expect(failed.Status.Reason).To(Equal("WrongPassword"))
		Expect(failed.Status.Message).NotTo(ContainSubstring("correct horse"))
		Expect(current(ctx, c, b).Status.LastSuccess).NotTo(BeNil(), "a failure pushes nothing out")
	}, SpecTimeout(10*time.Minute))

	It("are read back when asked for, and tell when their data is damaged", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.Verify = &v1alpha1.Verify{EveryRuns: ptr.To[int32](2)} })
		execute(nil, ns)
		first := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(first.Status.Verified).To(BeNil())
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionUnknown, "NotYetVerified")
		second := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(second.Status.Verified).NotTo(BeNil(), "every second run")
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionTrue, "Verified")
		Expect(current(ctx, c, b).Status.LastVerified.Name).To(Equal(second.Name))

		verify := func(run *v1alpha1.BackupRun, mode string) *v1alpha1.BackupRun {
			change(ctx, c, run, func(r *v1alpha1.BackupRun) {
				metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1alpha1.VerifyAnnotation, mode)
			})
			Eventually(ctx, func() map[string]string { return current(ctx, c, run).Annotations }).ShouldNot(HaveKey(v1alpha1.VerifyAnnotation))
			return current(ctx, c, run)
		}
		Expect(verify(first, "Restore").Status.Verified).NotTo(BeNil())

		packs, err := filepath.Glob(filepath.Join(pathOf(ns), "p*", "*", "*"))
		Expect(err).NotTo(HaveOccurred())
		flat, err := filepath.Glob(filepath.Join(pathOf(ns), "p*.f"))
		Expect(err).NotTo(HaveOccurred())
		Expect(append(packs, flat...)).NotTo(BeEmpty())
		for _, pack := range append(packs, flat...) {
			if strings.HasSuffix(pack, ".f") {
				Expect(os.Remove(pack)).To(Succeed())
			}
		}
		damaged := verify(second, "Checksum")
		Expect(damaged.Status.Conditions).To(ContainElement(And(HaveField("Type", "Verified"), HaveField("Status", metav1.ConditionFalse), HaveField("Reason", "Corrupt"))))
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionFalse, "Corrupt")
	}, SpecTimeout(10*time.Minute))
})
