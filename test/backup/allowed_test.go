package backup

import (
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var _ = Describe("What is the host controller's own", func() {
	It("is used for members only where its settings allow it", func(ctx SpecContext) {
		c := clients[members[0].Name]
		ns := namespace(ctx, c)
		own := filepath.Join(GinkgoT().TempDir(), "own")
		repo := store(ctx, c, ns, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = own })
		Expect(expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "StorageNotAllowed")).To(Equal(
			"spec.filesystem.path is " + own + ": the controller that executes the backups of this cluster may use only what is in " + dir + " (its setting backup-filesystem-roots)"))
		Expect(own).NotTo(BeADirectory())

		By("taking what is allowed")
		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns) })
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

		By("asking for the identity of the host's controller")
		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) {
			r.Spec.Filesystem, r.Spec.S3 = nil, &v1alpha1.S3Repository{Bucket: "bucket-of-the-host"}
		})
		Expect(expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "StorageNotAllowed")).To(Equal(
			"spec.s3.credentialsSecretRef is missing: the controller that executes the backups of this cluster uses its own identity only where its setting backup-own-identity is true"))
	}, SpecTimeout(5*time.Minute))
})
