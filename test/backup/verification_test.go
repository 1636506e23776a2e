package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/restore"
)

// packsIn lists the files of a repository that hold saved objects.
func packsIn(directory string) []string {
	GinkgoHelper()
	var packs []string
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		// kopia divides directories after the first letters of a blob's name.
		inside, _ := filepath.Rel(directory, path)
		if err == nil && !entry.IsDir() && strings.HasPrefix(inside, "p") && strings.HasSuffix(path, ".f") {
			packs = append(packs, path)
		}
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) { // it is not there yet, or was renamed meanwhile
		Expect(err).NotTo(HaveOccurred())
	}
	return packs
}

var _ = Describe("Verification by a schedule", func() {
	var (
		c  client.Client
		ns string
	)
	eachInHost(&c, &ns)

	// verifiedBy is the reason of a run's condition Verified if it was read back.
	verifiedBy := func(ctx context.Context, run *v1alpha1.BackupRun) string {
		GinkgoHelper()
		found := meta.FindStatusCondition(current(ctx, c, run).Status.Conditions, v1alpha1.ConditionVerified)
		if found == nil || found.Status != metav1.ConditionTrue || found.Reason == "Quick" { // which every run is
			return ""
		}
		return found.Reason
	}

	It("reads the newest good run back when it is due, and not before", func(ctx SpecContext) {
		store(ctx, c, ns)
		// Two hours from now, each day.
		due := time.Now().UTC().Truncate(time.Hour).Add(2 * time.Hour)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Verify = &v1alpha1.Verify{Schedule: fmt.Sprintf("0 %d * * *", due.Hour()), Mode: "Checksum"}
		})
		clock := stopped(b.CreationTimestamp.Time)
		execute(clock, ns)
		first := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		clock.Step(time.Minute)
		second := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		clock.SetTime(due.Add(-time.Second))
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionUnknown, "NotYetVerified")
		Consistently(ctx, func() string { return verifiedBy(ctx, second) }).Should(BeEmpty())

		clock.SetTime(due)
		Eventually(ctx, func() string { return verifiedBy(ctx, second) }).Should(Equal("Checksum"))
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionTrue, "Verified")
		Expect(current(ctx, c, b).Status.LastVerified.Name).To(Equal(second.Name))
		Expect(verifiedBy(ctx, first)).To(BeEmpty(), "the newest is read, and no other")

		By("restoring it, where the mode says so, and only on the next day")
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.Verify.Mode = "Restore" })
		clock.Step(time.Minute)
		third := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		clock.SetTime(due.Add(24*time.Hour - time.Second))
		Consistently(ctx, func() string { return verifiedBy(ctx, third) }).Should(BeEmpty())
		clock.SetTime(due.Add(24 * time.Hour))
		Eventually(ctx, func() string { return verifiedBy(ctx, third) }).Should(Equal("Restore"))
		Eventually(ctx, func(g Gomega) {
			scratch := &corev1.NamespaceList{}
			g.Expect(c.List(ctx, scratch, client.HasLabels{restore.ScratchLabel})).To(Succeed())
			g.Expect(scratch.Items).To(BeEmpty())
		}).Should(Succeed())

		By("telling that the repository is damaged")
		Eventually(ctx, func() string { return current(ctx, c, b).Status.LastSuccess.Name }).Should(Equal(third.Name))
		packs := packsIn(pathOf(ns))
		Expect(packs).NotTo(BeEmpty())
		for _, pack := range packs {
			Expect(os.Remove(pack)).To(Succeed())
		}
		clock.SetTime(due.Add(48 * time.Hour))
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionFalse, "Corrupt")
		Expect(current(ctx, c, b).Status.LastVerified.Name).To(Equal(third.Name), "which it was, a day ago")
		Eventually(ctx, func() string { return current(ctx, c, b).Status.LastSuccess.Name }).Should(Equal(second.Name), "nothing can be recovered from the run any more")
	}, SpecTimeout(10*time.Minute))

	It("says what is wrong with its schedule, and goes on saving", func(ctx SpecContext) {
		store(ctx, c, ns)
		wrong := &v1alpha1.Backup{Spec: v1alpha1.BackupSpec{Schedule: "@yearly", RepositoryRef: v1alpha1.LocalReference{Name: "store"},
			Verify: &v1alpha1.Verify{Schedule: "now and then"}}}
		wrong.Namespace, wrong.Name = ns, "refused"
		Expect(c.Create(ctx, wrong)).To(MatchError(ContainSubstring("spec.verify.schedule")))

		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.Verify = &v1alpha1.Verify{Schedule: "0 0 30 2 *"} })
		execute(nil, ns)
		Expect(expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "InvalidSchedule")).
			To(And(ContainSubstring("spec.verify.schedule"), ContainSubstring("no such day")))
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionUnknown, "InvalidSchedule")
		expectCondition(ctx, c, b, v1alpha1.ConditionScheduled, metav1.ConditionTrue, "Scheduled")
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.Verify.Schedule = "0 0 29 2 *" })
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionUnknown, "NotYetVerified")
	}, SpecTimeout(8*time.Minute))
})
