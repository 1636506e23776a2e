package backup

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localstorage"
	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// selfSigned writes a certificate for the loopback address and its key.
func selfSigned(into string) (certificate []byte, certificateFile, keyFile string) {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "s3"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	Expect(err).NotTo(HaveOccurred())
	rawKey, err := x509.MarshalPKCS8PrivateKey(key)
	Expect(err).NotTo(HaveOccurred())
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certificateFile, keyFile = filepath.Join(into, "s3.crt"), filepath.Join(into, "s3.key")
	Expect(os.WriteFile(certificateFile, certificate, 0o600)).To(Succeed())
	Expect(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey}), 0o600)).To(Succeed())
	return certificate, certificateFile, keyFile
}

var _ = Describe("On an S3 server", func() {
	const bucket, prefix = "backups", "clusters/host"
	var (
		c         client.Client
		ns        string
		server    *localstorage.S3
		authority []byte
		// data is the server's own directory.
		data        string
		credentials *corev1.Secret
	)
	eachInHost(&c, &ns)
	BeforeEach(func(ctx SpecContext) {
		data = GinkgoT().TempDir()
		var certificate, key string
		authority, certificate, key = selfSigned(GinkgoT().TempDir())
		var err error
		server, err = localstorage.StartS3(ctx, localstorage.S3Options{Dir: data, Certificate: certificate, Key: key})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(server.Stop()).To(Succeed()) })
		Expect(server.CreateBucket(ctx, bucket)).To(Succeed())
		credentials = &corev1.Secret{StringData: map[string]string{"accessKeyID": localstorage.AccessKeyID, "secretAccessKey": localstorage.SecretAccessKey}}
		credentials.Namespace, credentials.Name = ns, "s3-credentials"
		Expect(c.Create(ctx, credentials)).To(Succeed())
	}, NodeTimeout(5*time.Minute))

	onServer := func(r *v1alpha1.BackupRepository) {
		r.Spec.Filesystem = nil
		r.Spec.S3 = &v1alpha1.S3Repository{
			Endpoint: server.Endpoint, Bucket: bucket, Region: localstorage.Region, Prefix: prefix,
			CredentialsSecretRef: &v1alpha1.LocalReference{Name: credentials.Name}, CABundle: authority,
		}
	}
	// read calls look with the repository as it is on the server.
	read := func(ctx context.Context, look func(*repository.Repository)) {
		GinkgoHelper()
		open, err := repository.OpenReadOnly(ctx, repository.Config{
			Storage: &repository.S3{Endpoint: server.Endpoint, Bucket: bucket, Region: localstorage.Region, Prefix: prefix,
				AccessKeyID: localstorage.AccessKeyID, SecretAccessKey: localstorage.SecretAccessKey, CABundle: authority},
			Password: "correct horse battery staple", Network: loopback,
		})
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(open.Close(ctx)).To(Succeed()) }()
		look(open)
	}
	stored := func(ctx context.Context) []repository.Snapshot {
		GinkgoHelper()
		var list []repository.Snapshot
		read(ctx, func(r *repository.Repository) {
			var err error
			list, err = r.Snapshots(ctx, repository.Filter{})
			Expect(err).NotTo(HaveOccurred())
		})
		return list
	}
	// files are what the server holds in the bucket.
	files := func() []string {
		GinkgoHelper()
		var found []string
		Expect(filepath.WalkDir(filepath.Join(data, bucket), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				found = append(found, path)
			}
			return err
		})).To(Succeed())
		return found
	}

	It("backups are saved, read back, kept as retention says, restored, and deleted", func(ctx SpecContext) {
		repo := store(ctx, c, ns, onServer)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Retention = &v1alpha1.Retention{Last: ptr.To[int32](2), MinGood: ptr.To[int32](2)}
			s.Verify = &v1alpha1.Verify{EveryRuns: ptr.To[int32](1)}
			s.DeletionPolicy = v1alpha1.DeletionDelete
		})
		execute(nil, ns)
		for range 3 {
			run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
			Expect(run.Status.Verified).NotTo(BeNil())
		}
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		expectCondition(ctx, c, b, v1alpha1.ConditionVerified, metav1.ConditionTrue, "Verified")
		Eventually(ctx, func() []v1alpha1.BackupRun { return runsIn(ctx, c, ns) }).Should(HaveLen(2))
		Expect(stored(ctx)).To(HaveLen(2))
		for _, file := range files() {
			content, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			Expect(bytes.Contains(content, []byte("correct horse"))).To(BeFalse(), "%s holds a Secret in plain text", file)
		}

		gone := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "data"}}
		Expect(c.Delete(ctx, gone)).To(Succeed())
		restore := &v1alpha1.Restore{Spec: v1alpha1.RestoreSpec{From: v1alpha1.RestoreSource{
			RepositoryRef: v1alpha1.LocalReference{Name: "store"}, Backup: b.Name, Latest: true}}}
		restore.Namespace, restore.Name = ns, "restore"
		Expect(c.Create(ctx, restore)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			status := current(ctx, c, restore).Status
			g.Expect(status.Phase).To(Equal(v1alpha1.RunSucceeded), "%s: %s", status.Reason, status.Message)
		}).Should(Succeed())
		Expect(current(ctx, c, gone).Data).To(HaveKeyWithValue("key", "value"))

		Expect(c.Delete(ctx, b)).To(Succeed())
		expectGone(ctx, c, b)
		Expect(stored(ctx)).To(BeEmpty())
		Expect(runsIn(ctx, c, ns)).To(BeEmpty())
	}, SpecTimeout(10*time.Minute))

	It("wrong credentials and authorities, and a bucket that is lost, are told apart", func(ctx SpecContext) {
		change(ctx, c, credentials, func(s *corev1.Secret) { s.Data["secretAccessKey"] = []byte("another-secret-key") })
		repo := store(ctx, c, ns, onServer)
		b := backup(ctx, c, ns, once)
		execute(nil, ns, often)
		message := expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "AccessDenied")
		Expect(message).To(And(ContainSubstring("check the credentials"), Not(ContainSubstring("another-secret-key"))))
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "AccessDenied")
		Expect(expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed).Status.Reason).To(Equal("AccessDenied"))
		Expect(files()).To(BeEmpty())

		change(ctx, c, credentials, func(s *corev1.Secret) { s.Data["secretAccessKey"] = []byte(localstorage.SecretAccessKey) })
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)

		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) { r.Spec.S3.CABundle = nil })
		Expect(expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "Unreachable")).To(ContainSubstring("certificate"))
		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) { r.Spec.S3.CABundle = authority })
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

		By("losing the bucket")
		Expect(server.RemoveBucket(bucket)).To(Succeed())
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "BucketMissing")
		Expect(expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed).Status.Reason).To(Equal("BucketMissing"))

		By("finding it again, empty")
		Expect(server.CreateBucket(ctx, bucket)).To(Succeed())
		Expect(expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "NotFound")).To(ContainSubstring("make a new BackupRepository"))
		Expect(expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed).Status.Reason).To(Equal("NotFound"))
		Expect(files()).To(BeEmpty(), "nothing is written")
		Expect(current(ctx, c, b).Status.LastSuccess).NotTo(BeNil(), "what there was is not forgotten")
		Expect(c.Delete(ctx, repo)).To(Succeed())
		repo = store(ctx, c, ns, onServer)
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(stored(ctx)).To(HaveLen(1))
	}, SpecTimeout(10*time.Minute))

	It("a server that hangs in the middle of a run is told, and harms nothing", func(ctx SpecContext) {
		repo := store(ctx, c, ns, onServer)
		pod := pausing(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Retry = &v1alpha1.Retry{Limit: ptr.To[int32](20), Backoff: &metav1.Duration{Duration: 500 * time.Millisecond}}
			s.Hooks = &v1alpha1.Hooks{Pre: []v1alpha1.Hook{pod.hook()}}
		})
		execute(nil, ns, often)
		pod.goOn()
		first := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)

		pod.pause()
		run := manualRun(ctx, c, b)
		pod.waitForIt(ctx)
		Expect(server.Hang()).To(Succeed())
		DeferCleanup(func() { Expect(server.Continue()).To(Succeed()) })
		pod.goOn()
		Eventually(ctx, func(g Gomega) {
			status := current(ctx, c, run).Status
			g.Expect(status.Reason).To(Equal("Unreachable"), status.Message)
			g.Expect(status.Message).To(ContainSubstring("does not answer"))
		}).Should(Succeed())
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "Unreachable")
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "Unreachable")

		Expect(server.Continue()).To(Succeed())
		run = expectPhase(ctx, c, run, v1alpha1.RunSucceeded)
		Expect(run.Status.Attempts).To(BeNumerically(">", 1))
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		read(ctx, func(r *repository.Repository) {
			Expect(r.Verify(ctx, first.Status.SnapshotID, true)).To(Succeed())
			Expect(r.Verify(ctx, run.Status.SnapshotID, true)).To(Succeed())
		})
		Expect(stored(ctx)).To(HaveLen(2))
	}, SpecTimeout(10*time.Minute))

	It("a server that only lets us read is not said to be usable, and is when it lets us write again", func(ctx SpecContext) {
		repo := store(ctx, c, ns, onServer)
		b := backup(ctx, c, ns, once)
		// It looks often, and does not try to write each time: who asks gets to know it.
		execute(nil, ns, often)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		before := files()
		Expect(server.SetReadOnly(ctx, true)).To(Succeed())
		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) {
			metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1alpha1.CheckAnnotation, "now")
		})
		Expect(expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "NotWritable")).To(ContainSubstring("allow the credentials to write"))
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionFalse, "NotWritable")
		Expect(expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed).Status.Reason).To(Equal("NotWritable"))
		Expect(files()).To(Equal(before))

		Expect(server.SetReadOnly(ctx, false)).To(Succeed())
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		Expect(server.SetReadOnly(ctx, true)).To(Succeed())
		Expect(expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunFailed).Status.Reason).To(Equal("NotWritable"))
		// Nobody has asked: the run has said so.
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "NotWritable")
		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) { r.Spec.ReadOnly = true })
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
	}, SpecTimeout(10*time.Minute))

	It("credentials that are replaced in the middle of a run are taken up", func(ctx SpecContext) {
		const next = "the-next-secret-key"
		repo := store(ctx, c, ns, onServer)
		pod := pausing(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Retry = &v1alpha1.Retry{Limit: ptr.To[int32](20), Backoff: &metav1.Duration{Duration: 500 * time.Millisecond}}
			s.Hooks = &v1alpha1.Hooks{Pre: []v1alpha1.Hook{pod.hook()}}
		})
		execute(nil, ns, often)
		run := scheduledRun(ctx, c, b)
		pod.waitForIt(ctx)
		Expect(server.Rotate(ctx, next)).To(Succeed())
		pod.goOn()
		Eventually(ctx, func(g Gomega) {
			status := current(ctx, c, run).Status
			g.Expect(status.Reason).To(Equal("AccessDenied"), status.Message)
			g.Expect(status.Message).To(ContainSubstring("check the credentials"))
		}).Should(Succeed())
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionFalse, "AccessDenied")

		change(ctx, c, credentials, func(s *corev1.Secret) { s.Data["secretAccessKey"] = []byte(next) })
		run = expectPhase(ctx, c, run, v1alpha1.RunSucceeded)
		Expect(run.Status.Attempts).To(BeNumerically(">", 1))
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		Expect(server.Rotate(ctx, localstorage.SecretAccessKey)).To(Succeed())
		read(ctx, func(r *repository.Repository) { Expect(r.Verify(ctx, run.Status.SnapshotID, true)).To(Succeed()) })
	}, SpecTimeout(10*time.Minute))

	It("nothing more is deleted with a Backup once its policy is Retain", func(ctx SpecContext) {
		store(ctx, c, ns, onServer)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) { s.DeletionPolicy = v1alpha1.DeletionDelete })
		execute(nil, ns)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(server.Hang()).To(Succeed())
		DeferCleanup(func() { Expect(server.Continue()).To(Succeed()) })
		Expect(c.Delete(ctx, b)).To(Succeed())
		// The deletion is under way, and waits for the server's answer.
		Eventually(goroutines).Should(ContainElement(ContainSubstring("deleteData")))
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.DeletionPolicy = v1alpha1.DeletionRetain })
		expectGone(ctx, c, b)
		Expect(server.Continue()).To(Succeed())
		Eventually(goroutines).ShouldNot(ContainElement(ContainSubstring("deleteData")))
		Expect(stored(ctx)).To(HaveLen(1))
	}, SpecTimeout(8*time.Minute))
})
