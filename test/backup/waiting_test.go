package backup

import (
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var _ = Describe("Who waits for a run", func() {
	It("is told at once what somebody has to mend, and so is who looks at the repository", func(ctx SpecContext) {
		member := members[0].Name
		c := clients[member]
		ns := namespace(ctx, c)
		path := filepath.Join(pathOf(ns), "above", "repository")
		repo := store(ctx, c, ns, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = path })
		b := backup(ctx, c, ns)
		run := func() (string, error) {
			return system.Run(ctx, "backup", "run", b.Name, "-n", ns, "--cluster", member, "--wait", "--timeout", "2m")
		}

		By("naming a directory without the one above it")
		_, err := run()
		Expect(err).To(MatchError(ContainSubstring("the directory above " + path + " does not exist: create it")))
		Expect(runsIn(ctx, c, ns)).To(HaveEach(And(HaveField("Status.Attempts", BeEquivalentTo(1)), HaveField("Status.Reason", "BucketMissing"))))
		_, err = system.Run(ctx, "backup", "repository", "check", repo.Name, "-n", ns, "--cluster", member)
		Expect(err).To(MatchError(ContainSubstring("Ready=False: BucketMissing")))

		By("making it")
		Expect(os.MkdirAll(filepath.Dir(path), 0o700)).To(Succeed())
		Expect(fedctl(ctx, "backup", "repository", "check", repo.Name, "-n", ns, "--cluster", member)).To(ContainSubstring("Ready=True"))
		Expect(run()).To(ContainSubstring("Succeeded"))

		By("mistyping names")
		_, err = system.Run(ctx, "backup", "run", "nightyl", "-n", ns, "--cluster", member)
		Expect(err).To(MatchError(ContainSubstring("did you mean nightly?")))
		_, err = system.Run(ctx, "backup", "repository", "check", "stroe", "-n", ns, "--cluster", member)
		Expect(err).To(MatchError(ContainSubstring("did you mean store?")))
		_, err = system.Run(ctx, "backup", "restore", "nightyl", "-n", ns, "--cluster", member, "--repository", "store", "--wait")
		Expect(err).To(MatchError(ContainSubstring("did you mean " + ns + "/nightly?")))

		By("losing it, long before it is looked at again")
		Expect(os.Rename(path, path+"-aside")).To(Succeed())
		_, err = run()
		Expect(err).To(MatchError(ContainSubstring("BucketMissing")))
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "BucketMissing")
		Expect(os.Rename(path+"-aside", path)).To(Succeed())
		Expect(run()).To(ContainSubstring("Succeeded"))
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	}, SpecTimeout(8*time.Minute))
})
