package backup

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/internal/localstorage"
	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var _ = Describe("On Google Cloud Storage", func() {
	It("backups are kept, and restored from", func(ctx SpecContext) {
		server, err := localstorage.StartGCS(ctx, GinkgoT().TempDir())
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(server.Stop()).To(Succeed()) })
		Expect(server.CreateBucket(ctx, "backups")).To(Succeed())
		GinkgoT().Setenv(localstorage.GCSEmulatorEnv, server.Endpoint)

		c := clients[host.Name]
		ns := namespace(ctx, c)
		repository := store(ctx, c, ns, func(r *v1alpha1.BackupRepository) {
			r.Spec.Filesystem, r.Spec.GCS = nil, &v1alpha1.GCSRepository{Bucket: "backups", Prefix: "clusters/host"}
		})
		b := backup(ctx, c, ns)
		execute(nil, ns)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Eventually(ctx, func() string { return current(ctx, c, repository).Status.Location }).Should(Equal("gs://backups/clusters/host/"))

		data := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "data"}}
		Expect(c.Delete(ctx, data)).To(Succeed())
		done := restored(ctx, c, ns, v1alpha1.RestoreSpec{From: v1alpha1.RestoreSource{RepositoryRef: v1alpha1.LocalReference{Name: repository.Name}, Backup: b.Name, Latest: true}})
		Expect(done.Status.Phase).To(Equal(v1alpha1.RunSucceeded), done.Status.Message)
		Expect(current(ctx, c, data).Data).To(HaveKeyWithValue("key", "value"))

		By("a key that is none") // which nobody looks at when requests need none
		GinkgoT().Setenv(localstorage.GCSEmulatorEnv, "")
		secret := &corev1.Secret{StringData: map[string]string{"serviceAccountKey": "no key"}}
		secret.Namespace, secret.Name = ns, "gcs-credentials"
		Expect(c.Create(ctx, secret)).To(Succeed())
		change(ctx, c, repository, func(r *v1alpha1.BackupRepository) {
			r.Spec.GCS.CredentialsSecretRef = &v1alpha1.LocalReference{Name: secret.Name}
		})
		Expect(expectCondition(ctx, c, repository, "Ready", metav1.ConditionFalse, "AccessDenied")).To(And(ContainSubstring("bucket backups"), ContainSubstring("service account")))
	}, SpecTimeout(8*time.Minute))
})

// That data gets there and back is the part of pkg/backup/repository's tests.
var _ = Describe("On Azure Blob Storage", func() {
	It("the credentials are a key or a token, and an endpoint is the account's", func(ctx SpecContext) {
		c := clients[host.Name]
		ns := namespace(ctx, c)
		secret := &corev1.Secret{StringData: map[string]string{"storagekey": "bG9jYWw="}}
		secret.Namespace, secret.Name = ns, "azure-credentials"
		Expect(c.Create(ctx, secret)).To(Succeed())
		azure := &v1alpha1.AzureRepository{StorageAccount: "fedctl", Container: "backups", Endpoint: "https://other.blob.example",
			CredentialsSecretRef: v1alpha1.LocalReference{Name: secret.Name}}
		wrong := &v1alpha1.BackupRepository{Spec: v1alpha1.BackupRepositorySpec{Azure: azure, EncryptionSecretRef: v1alpha1.SecretKeyReference{Name: "encryption"}}}
		wrong.Namespace, wrong.Name = ns, "wrong"
		Expect(c.Create(ctx, wrong)).To(MatchError(ContainSubstring("the endpoint's host must begin with the name of the storage account")))
		wrong.Spec.Azure.Endpoint, wrong.Spec.Filesystem = "", &v1alpha1.FilesystemRepository{Path: pathOf(ns)}
		Expect(c.Create(ctx, wrong)).To(MatchError(ContainSubstring("exactly one of s3, gcs, azure and filesystem must be set")))

		azure.Endpoint = "https://fedctl.blob.invalid"
		repository := store(ctx, c, ns, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem, r.Spec.Azure = nil, azure })
		execute(nil, ns)
		message := expectCondition(ctx, c, repository, "Ready", metav1.ConditionFalse, "SecretIncomplete")
		Expect(message).To(And(ContainSubstring("storageKey"), ContainSubstring("spec.azure.credentialsSecretRef")))
		for _, key := range []string{"storageKey", "sasToken"} {
			change(ctx, c, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{key: []byte("bG9jYWw=")} })
			Expect(expectCondition(ctx, c, repository, "Ready", metav1.ConditionFalse, "Unreachable")).To(And(
				ContainSubstring("container backups of the storage account fedctl"), Not(ContainSubstring("bG9j"))), key)
		}
	}, SpecTimeout(8*time.Minute))
})
