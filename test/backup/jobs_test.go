package backup

import (
	"bytes"
	"os"
	"runtime/pprof"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/executor"
)

// goroutines are those of backups in this process.
func goroutines() []string {
	var all bytes.Buffer
	Expect(pprof.Lookup("goroutine").WriteTo(&all, 2)).To(Succeed())
	var found []string
	for stack := range bytes.SplitSeq(all.Bytes(), []byte("\n\n")) {
		if bytes.Contains(stack, []byte("fedctl/pkg/backup/")) || bytes.Contains(stack, []byte("github.com/kopia/")) {
			found = append(found, string(stack))
		}
	}
	return found
}

var _ = Describe("What goes on for objects that change", func() {
	var (
		c  client.Client
		ns string
	)
	eachInHost(&c, &ns)

	It("ends with the run or the restore, and leaves its place to others", func(ctx SpecContext) {
		repo := store(ctx, c, ns, hanging)
		b := backup(ctx, c, ns)
		execute(nil, ns) // with two places
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunRunning)
		restore := &v1alpha1.Restore{Spec: v1alpha1.RestoreSpec{From: v1alpha1.RestoreSource{RepositoryRef: v1alpha1.LocalReference{Name: "store"}, Backup: b.Name, Latest: true}}}
		restore.Namespace, restore.Name = ns, "restore"
		Expect(c.Create(ctx, restore)).To(Succeed())
		Eventually(ctx, func() v1alpha1.RunPhase { return current(ctx, c, restore).Status.Phase }).Should(Equal(v1alpha1.RunRunning))
		Expect(c.Delete(ctx, run)).To(Succeed())
		Expect(c.Delete(ctx, restore)).To(Succeed())

		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) {
			r.Spec.S3, r.Spec.Filesystem = nil, &v1alpha1.FilesystemRepository{Path: pathOf(ns)}
		})
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(snapshots(ctx, ns)).To(HaveLen(1))
	}, SpecTimeout(8*time.Minute))

	It("is done again where the repository is now", func(ctx SpecContext) {
		repo := store(ctx, c, ns, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns + "-before") })
		pod := pausing(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Retry = &v1alpha1.Retry{Backoff: &metav1.Duration{Duration: time.Second}}
			s.Hooks = &v1alpha1.Hooks{Pre: []v1alpha1.Hook{pod.hook()}}
		})
		execute(nil, ns)
		run := manualRun(ctx, c, b)
		pod.waitForIt(ctx)
		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns) })
		pod.goOn()
		run = expectPhase(ctx, c, run, v1alpha1.RunSucceeded)
		Expect(run.Status.Attempts).To(Equal(int32(2)))
		Expect(snapshots(ctx, ns)).To(ContainElement(HaveField("ID", run.Status.SnapshotID)))
	}, SpecTimeout(8*time.Minute))

	It("leaves no temporary files and no goroutines", func(ctx SpecContext) {
		temporary := GinkgoT().TempDir()
		files := func() []os.DirEntry {
			entries, err := os.ReadDir(temporary)
			Expect(err).NotTo(HaveOccurred())
			return entries
		}
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns)
		stop := execute(nil, ns, func(o *executor.Options) { o.CacheDir, o.StorageTimeout = temporary, time.Second })
		for _, edit := range []func(*v1alpha1.BackupRepository){
			func(*v1alpha1.BackupRepository) {},
			hanging,
			func(r *v1alpha1.BackupRepository) {
				r.Spec.S3, r.Spec.Filesystem = nil, &v1alpha1.FilesystemRepository{Path: pathOf(ns + "-second")}
			},
			func(r *v1alpha1.BackupRepository) { r.Spec.EncryptionSecretRef.Key = "none" },
		} {
			change(ctx, c, repo, edit)
			run := manualRun(ctx, c, b)
			Eventually(ctx, func() bool {
				status := current(ctx, c, run).Status
				return status.Attempts > 0 && status.Phase != v1alpha1.RunRunning
			}).Should(BeTrue(), "an attempt has ended, in whatever way")
		}
		Eventually(ctx, files).Should(BeEmpty())
		stop()
		Expect(files()).To(BeEmpty())
		Eventually(goroutines).Should(BeEmpty())
	}, SpecTimeout(8*time.Minute))
})
