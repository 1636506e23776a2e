package backup

import (
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// passwordFile holds a new password.
func passwordFile(password string) string {
	GinkgoHelper()
	name := filepath.Join(GinkgoT().TempDir(), "password")
	Expect(os.WriteFile(name, []byte(password+"\n"), 0o600)).To(Succeed())
	return name
}

// opens says how a repository answers a password.
func opens(ctx context.Context, path, password string) string {
	GinkgoHelper()
	open, err := repository.OpenReadOnly(ctx, repository.Config{Storage: &repository.Filesystem{Path: path}, Password: password})
	if err != nil {
		return string(repository.ReasonOf(err))
	}
	Expect(open.Close(ctx)).To(Succeed())
	return "opens"
}

var _ = Describe("The password of a repository", func() {
	const old, next = "correct horse battery staple", "a new one"

	It("changes in its Secret and in its storage, wherever that was interrupted", func(ctx SpecContext) {
		member := members[0].Name
		c := clients[member]
		ns := namespace(ctx, c)
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, once)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "encryption"}}
		changePassword := func(args ...string) string {
			return fedctl(ctx, append([]string{"backup", "repository", "change-password", "store", "-n", ns, "--cluster", member, "--timeout", "2m"}, args...)...)
		}

		By("ending right after the Secret was written")
		change(ctx, c, secret, func(s *corev1.Secret) { s.Data["password.new"] = []byte(next) })
		Expect(fedctl(ctx, "backup", "repository", "check", "store", "-n", ns, "--cluster", member)).To(ContainSubstring("Ready=True"))
		Eventually(ctx, func() *v1alpha1.PasswordStatus { return current(ctx, c, repo).Status.Password }).Should(HaveField("Key", "password.new"))
		Expect([]string{opens(ctx, pathOf(ns), old), opens(ctx, pathOf(ns), next)}).To(Equal([]string{"WrongPassword", "opens"}))

		By("running while the Secret holds both")
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)

		By("naming another one before it has ended")
		_, err := system.Run(ctx, "backup", "repository", "change-password", "store", "-n", ns, "--cluster", member, "--password-file", passwordFile("a third one"))
		Expect(err).To(MatchError(ContainSubstring("bring that to its end first")))

		By("going on")
		Expect(changePassword()).To(ContainSubstring("opens with the new password"))
		Expect(current(ctx, c, secret).Data).To(Equal(map[string][]byte{"password": []byte(next)}))
		Expect(changePassword("--password-file", passwordFile(next))).To(ContainSubstring("has this password already"))
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)

		By("changing it again, from the beginning")
		Expect(changePassword("--password-file", passwordFile("a third one"))).To(ContainSubstring("the old password is gone"))
		Expect([]string{opens(ctx, pathOf(ns), next), opens(ctx, pathOf(ns), "a third one")}).To(Equal([]string{"WrongPassword", "opens"}))
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Eventually(ctx, func() *v1alpha1.PasswordStatus { return current(ctx, c, repo).Status.Password }).Should(BeNil())
	}, SpecTimeout(8*time.Minute))

	It("is not touched where it cannot change", func(ctx SpecContext) {
		owner, foreign := clients[members[0].Name], clients[members[1].Name]
		ns := namespace(ctx, owner)
		expectCondition(ctx, owner, store(ctx, owner, ns), v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		other := namespace(ctx, foreign)
		there := func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns) }
		expectCondition(ctx, foreign, store(ctx, foreign, other, there), v1alpha1.ConditionReady, metav1.ConditionFalse, "ForeignOwner")
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: other, Name: "encryption"}}
		before := current(ctx, foreign, secret)

		_, err := system.Run(ctx, "backup", "repository", "change-password", "store", "-n", other, "--cluster", members[1].Name, "--password-file", passwordFile(next), "--timeout", "100m")
		Expect(err).To(MatchError(And(ContainSubstring("ForeignOwner"), ContainSubstring("belongs to the cluster with the UID"), ContainSubstring("no password was written"))))
		Expect(current(ctx, foreign, secret).ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(opens(ctx, pathOf(ns), old)).To(Equal("opens"))

		By("saying so also where another one that uses the same Secret cannot be used")
		store(ctx, foreign, other, func(r *v1alpha1.BackupRepository) { r.Name, r.Spec.Filesystem.Path = "own", pathOf(other) })
		_, err = system.Run(ctx, "backup", "repository", "change-password", "own", "-n", other, "--cluster", members[1].Name, "--password-file", passwordFile(next))
		Expect(err).To(MatchError(And(ContainSubstring(other+"/store cannot be changed"), ContainSubstring("ForeignOwner"))))
		Expect(current(ctx, foreign, secret).ResourceVersion).To(Equal(before.ResourceVersion))
	}, SpecTimeout(8*time.Minute))

	It("is not what it was after a restore of a run that knew another one", func(ctx SpecContext) {
		c := clients[host.Name]
		ns := namespace(ctx, c)
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, once)
		execute(nil, ns, often)
		first := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "encryption"}}
		change(ctx, c, secret, func(s *corev1.Secret) { s.Data["password.new"] = []byte(next) })
		Eventually(ctx, func() *v1alpha1.PasswordStatus { return current(ctx, c, repo).Status.Password }).Should(HaveField("Key", "password.new"))
		change(ctx, c, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"password": []byte(next)} })
		data := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "data"}}
		change(ctx, c, data, func(m *corev1.ConfigMap) { m.Data["key"] = "another" })

		done := restored(ctx, c, ns, v1alpha1.RestoreSpec{Existing: "Update", From: v1alpha1.RestoreSource{
			RepositoryRef: v1alpha1.LocalReference{Name: repo.Name}, Backup: b.Name, Run: first.Name,
		}}).Status
		Expect(done.Phase).To(Equal(v1alpha1.RunSucceeded), done.Message)
		Expect(done.Warnings).To(ContainElement(And(HaveField("Name", "encryption"), HaveField("Message", ContainSubstring("BackupRepository store reads it")))))
		Expect(current(ctx, c, data).Data).To(HaveKeyWithValue("key", "value"))
		Expect(current(ctx, c, secret).Data).To(Equal(map[string][]byte{"password": []byte(next)}))
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
	}, SpecTimeout(8*time.Minute))

	It("changes in all clusters that a FederatedSecret gives it to", func(ctx SpecContext) {
		everywhere := map[string]any{"clusterSelector": map[string]any{}}
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "password-"}}
		Expect(host.Create(ctx, ns)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, ns)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Expect(host.Create(ctx, federated("FederatedNamespace", ns.Name, ns.Name, map[string]any{"placement": everywhere}))).To(Succeed())
		Expect(host.Create(ctx, federated("FederatedSecret", ns.Name, "encryption", map[string]any{
			"template":  map[string]any{"data": map[string]any{"password": base64.StdEncoding.EncodeToString([]byte(old))}},
			"placement": everywhere,
		}))).To(Succeed())
		for _, member := range members {
			c := clients[member.Name]
			Eventually(ctx, func() error {
				return c.Get(ctx, client.ObjectKey{Namespace: ns.Name, Name: "encryption"}, &corev1.Secret{})
			}).Should(Succeed())
			repo := store(ctx, c, ns.Name, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns.Name + member.Name) })
			expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		}
		out := fedctl(ctx, "backup", "repository", "change-password", "store", "-n", ns.Name, "--cluster", members[0].Name, "--password-file", passwordFile(next))
		Expect(out).To(ContainSubstring("FederatedSecret " + ns.Name + "/encryption"))
		for _, member := range members {
			Expect(out).To(ContainSubstring(member.Name + "/" + ns.Name + "/store opens with the new password"))
			path := pathOf(ns.Name + member.Name)
			Expect([]string{opens(ctx, path, old), opens(ctx, path, next)}).To(Equal([]string{"WrongPassword", "opens"}))
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "encryption"}}
			Expect(current(ctx, clients[member.Name], secret).Data).To(Equal(map[string][]byte{"password": []byte(next)}))
		}
	}, SpecTimeout(8*time.Minute))
})
