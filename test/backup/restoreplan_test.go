package backup

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var _ = Describe("What a Restore says", func() {
	var (
		c  client.Client
		ns string
	)
	eachInHost(&c, &ns)

	It("is what it will do, by kind, and never that a typing error succeeded", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns)
		execute(nil, ns)
		expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		spec := v1alpha1.RestoreSpec{From: v1alpha1.RestoreSource{RepositoryRef: v1alpha1.LocalReference{Name: "store"}, Backup: b.Name, Latest: true}}
		copied := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-copy"}}
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, copied))).To(Succeed()) }, NodeTimeout(3*time.Minute))

		By("refusing names that match nothing")
		wrong := spec
		wrong.NamespaceMapping = map[string]string{ns + "x": copied.Name}
		object := restored(ctx, c, ns, wrong)
		Expect(object.Status.Phase).To(Equal(v1alpha1.RunFailed))
		Expect(object.Status.Reason).To(Equal("MatchesNothing"))
		Expect(object.Status.Message).To(ContainSubstring("did you mean " + ns + "?"))
		_, err := system.Run(ctx, "backup", "restore", b.Name, "-n", ns, "--repository", "store", "--wait", "--resources", "configmap")
		Expect(err).To(MatchError(ContainSubstring("--resources: no configmap were saved; did you mean configmaps?")))
		_, err = system.Run(ctx, "backup", "restore", b.Name, "-n", ns, "--repository", "store", "--existing", "replace")
		Expect(err).To(MatchError(ContainSubstring("--existing takes Skip, Update and Fail, not \"replace\"")))
		never := &v1alpha1.Restore{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "never"}, Spec: spec}
		never.Spec.Namespaces, never.Spec.NamespaceMapping = []string{ns}, map[string]string{"other": copied.Name}
		Expect(c.Create(ctx, never)).To(MatchError(ContainSubstring("namespaceMapping maps a namespace that is not among namespaces")))

		By("telling in the dry run what the run does")
		spec.NamespaceMapping = map[string]string{ns: copied.Name}
		dry := spec
		dry.DryRun = true
		planned, done := restored(ctx, c, ns, dry), restored(ctx, c, ns, spec)
		Expect(done.Status.Phase).To(Equal(v1alpha1.RunSucceeded), done.Status.Message)
		Expect(planned.Status.Resources).To(Equal(done.Status.Resources))
		Expect(done.Status.Resources).To(ContainElement(SatisfyAll(HaveField("Resource", "configmaps"), HaveField("Created", BeEquivalentTo(1)))))

		By("suspending copies of Backups, unless they are to run")
		duplicate := &v1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: copied.Name, Name: b.Name}}
		Expect(c.Get(ctx, client.ObjectKeyFromObject(duplicate), duplicate)).To(Succeed())
		Expect(duplicate.Spec.Suspend).To(BeTrue())
		Expect(done.Status.Warnings).To(ContainElement(SatisfyAll(HaveField("Resource", "backups.backup.fedctl.io"), HaveField("Message", ContainSubstring("restored suspended")))))
		Expect(c.Delete(ctx, duplicate)).To(Succeed())
		Eventually(ctx, func() bool { return apierrors.IsNotFound(c.Get(ctx, client.ObjectKeyFromObject(duplicate), duplicate)) }).Should(BeTrue())
		out := fedctl(ctx, "backup", "restore", b.Name, "-n", ns, "--repository", "store", "--wait", "--restored-backups", "keep",
			"--namespace-mapping", ns+"="+copied.Name, "--resources", "backups.backup.fedctl.io,configmaps")
		Expect(out).To(MatchRegexp(`RESOURCE +CREATED +UPDATED +SKIPPED +FAILED +DEFERRED`))
		Expect(out).To(MatchRegexp(`backups\.backup\.fedctl\.io +1 +0 +0 +0 +0`))
		Expect(out).To(MatchRegexp(`all +1 +0 +1 +0 +0`))
		Expect(c.Get(ctx, client.ObjectKeyFromObject(duplicate), duplicate)).To(Succeed())
		Expect(duplicate.Spec.Suspend).To(BeFalse())
	}, SpecTimeout(10*time.Minute))
})
