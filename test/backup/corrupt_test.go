package backup

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/executor"
)

// scratch changes eight bytes within each pack in a directory, and leaves their lengths.
func scratch(directory string) {
	GinkgoHelper()
	packs := packsIn(directory)
	Expect(packs).NotTo(BeEmpty())
	for _, pack := range packs {
		data, err := os.ReadFile(pack)
		Expect(err).NotTo(HaveOccurred())
		Expect(len(data)).To(BeNumerically(">", 208))
		for i := 200; i < 208; i++ {
			data[i] ^= 0xff
		}
		Expect(os.Chmod(pack, 0o600)).To(Succeed())
		Expect(os.WriteFile(pack, data, 0o600)).To(Succeed())
	}
}

var _ = Describe("Data that has changed in the storage", func() {
	It("makes every run of the repository doubtful until it was read again", func(ctx SpecContext) {
		c := clients[host.Name]
		ns := namespace(ctx, c)
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			once(s)
			s.Source.IncludedResources = []string{"configmaps"}
		})
		object := &corev1.ConfigMap{Data: map[string]string{}}
		object.Namespace, object.Name = ns, "big"
		Expect(c.Create(ctx, object)).To(Succeed())
		refill := func() { // with what no other run has
			random := make([]byte, 200<<10)
			_, err := rand.Read(random)
			Expect(err).NotTo(HaveOccurred())
			change(ctx, c, object, func(o *corev1.ConfigMap) { o.Data = map[string]string{"d": base64.StdEncoding.EncodeToString(random)} })
		}
		execute(nil, ns, func(o *executor.Options) { o.CheckPeriod = time.Hour })
		refill()
		first := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		refill()
		second := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionTrue, "Intact")

		scratch(pathOf(ns))
		change(ctx, c, first, func(r *v1alpha1.BackupRun) { r.Annotations = map[string]string{v1alpha1.VerifyAnnotation: "true"} })
		expectCondition(ctx, c, first, v1alpha1.ConditionVerified, metav1.ConditionFalse, "Corrupt")
		By("reading the other run without anybody asking")
		expectCondition(ctx, c, second, v1alpha1.ConditionVerified, metav1.ConditionFalse, "Corrupt")
		Eventually(ctx, func() string {
			return expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionFalse, "DataLost")
		}).Should(And(ContainSubstring(first.Name), ContainSubstring(second.Name)))

		By("deleting the run that was found first")
		Expect(c.Delete(ctx, first)).To(Succeed())
		Eventually(ctx, func() string {
			return expectCondition(ctx, c, repo, v1alpha1.ConditionIntact, metav1.ConditionFalse, "DataLost")
		}).Should(And(Not(ContainSubstring(first.Name)), ContainSubstring(second.Name)))
	}, SpecTimeout(10*time.Minute))
})
