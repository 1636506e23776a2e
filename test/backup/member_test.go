package backup

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// executorName is that of the Deployment and its account.
const executorName = "fedctl-backup-executor"

// holderOf is who executes the backups of a cluster.
func holderOf(ctx context.Context, c client.Client) string {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: framework.KubeFedNamespace, Name: v1alpha1.ExecutorLease}, lease); err != nil {
		return ""
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// installed installs the executor into a member and returns its container.
func installed(ctx context.Context, member *framework.Cluster, rights string) corev1.Container {
	GinkgoHelper()
	fedctl(ctx, "install", "--member", member.Name, "--executor", "--backup-rights", rights)
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: framework.KubeFedNamespace, Name: executorName}}
	DeferCleanup(func(ctx SpecContext) { Expect(member.Delete(ctx, deployment)).To(Succeed()) }, NodeTimeout(3*time.Minute))
	c := clients[member.Name]
	Eventually(ctx, func(g Gomega) {
		pods := &corev1.PodList{}
		g.Expect(c.List(ctx, pods, client.InNamespace(framework.KubeFedNamespace), client.MatchingLabels{"app.kubernetes.io/name": executorName})).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(1), "the Deployment makes a pod")
		g.Expect(pods.Items[0].Spec.ServiceAccountName).To(Equal(executorName))
		g.Expect(pods.Items[0].Spec.NodeName).NotTo(BeEmpty(), "which a node takes")
	}).Should(Succeed())
	containers := current(ctx, c, deployment).Spec.Template.Spec.Containers
	Expect(containers).To(HaveLen(1))
	return containers[0]
}

// inside starts the program as the container does, which kwok does not, with the
// rights of its account.
func inside(ctx context.Context, member *framework.Cluster, container corev1.Container) *framework.Process {
	GinkgoHelper()
	kubeconfig := filepath.Join(GinkgoT().TempDir(), "executor.kubeconfig")
	Expect(framework.WriteAccountKubeconfig(ctx, member, framework.KubeFedNamespace, executorName, kubeconfig)).To(Succeed())
	var args []string
	for _, arg := range container.Args {
		args = append(args, strings.ReplaceAll(arg, "$(POD_NAMESPACE)", framework.KubeFedNamespace))
	}
	return program(kubeconfig, append(args, "--backup-cache-dir="+GinkgoT().TempDir())...)
}

var _ = Describe("An executor inside a member", func() {
	It("follows schedules without the host, verifies and restores, and never together with the host", func(ctx SpecContext) {
		member := members[0]
		c := clients[member.Name]
		container := installed(ctx, member, "restore")
		ns := namespace(ctx, c)
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Schedule, s.ConcurrencyPolicy = "@every 2s", v1alpha1.ConcurrencyQueue
		})
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunSucceeded) }).ShouldNot(BeEmpty(), "by the host")
		hosts := holderOf(ctx, c)
		inside(ctx, member, container)

		By("going on when the host's controller is gone")
		Expect(system.Controller.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { // also when the spec fails here
			if !system.Controller.Running() {
				Expect(system.Controller.Start(ctx)).To(Succeed())
			}
		}, NodeTimeout(3*time.Minute))
		Eventually(ctx, func() string { return holderOf(ctx, c) }).ShouldNot(Or(BeEmpty(), Equal(hosts)))
		own := holderOf(ctx, c)
		by := func(executor string) (runs []string) {
			for _, run := range runsIn(ctx, c, ns) {
				if run.Status.Executor == executor && run.Status.Phase == v1alpha1.RunSucceeded {
					runs = append(runs, run.Name)
				}
			}
			return runs
		}
		Eventually(ctx, func() int { return len(by(own)) }).Should(BeNumerically(">=", 3))

		By("reading back and restoring, with the rights that the installation gave it")
		run := &v1alpha1.BackupRun{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: by(own)[0]}}
		Expect(fedctl(ctx, "backup", "verify", run.Name, "-n", ns, "--cluster", member.Name, "--mode", "Restore", "--wait")).To(ContainSubstring("Verified=True"))
		copied := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns + "-copy"}}
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, copied))).To(Succeed()) }, NodeTimeout(3*time.Minute))
		fedctl(ctx, "backup", "restore", b.Name, "-n", ns, "--cluster", member.Name, "--repository", "store",
			"--namespace-mapping", ns+"="+copied.Name, "--resources", "configmaps,secrets", "--wait")
		Expect(c.Get(ctx, client.ObjectKey{Namespace: copied.Name, Name: "data"}, &corev1.ConfigMap{})).To(Succeed())

		By("keeping the Lease when the host is back")
		Expect(system.Controller.Start(ctx)).To(Succeed())
		Expect(system.WaitForMember(ctx, member.Name, true)).To(Succeed())
		done := len(by(own))
		Eventually(ctx, func() int { return len(by(own)) }).Should(BeNumerically(">=", done+3))
		Expect(holderOf(ctx, c)).To(Equal(own))
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.Suspend = true })
		Eventually(ctx, func(g Gomega) {
			for _, run := range runsIn(ctx, c, ns) {
				g.Expect(run.Status.Phase).To(Equal(v1alpha1.RunSucceeded), run.Name)
			}
		}).Should(Succeed())
		saved := map[string]int{}
		for _, snapshot := range snapshots(ctx, ns) {
			saved[snapshot.Run]++
		}
		for _, run := range runsIn(ctx, c, ns) {
			Expect(run.Status.Executor).To(Or(Equal(own), Equal(hosts)))
			Expect(run.Status.Attempts).To(Equal(int32(1)), run.Name)
			Expect(saved[run.Name]).To(Equal(1), "snapshots of run %s", run.Name)
		}
	}, SpecTimeout(10*time.Minute))

	It("saves and reads back with the rights to save, and says what it may not", func(ctx SpecContext) {
		member := members[1]
		c := clients[member.Name]
		container := installed(ctx, member, "save")
		ns := namespace(ctx, c)
		store(ctx, c, ns)
		b := backup(ctx, c, ns)
		hosts := holderOf(ctx, c)
		inside(ctx, member, container)
		Expect(system.Controller.Stop(ctx)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(system.Controller.Start(ctx)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Eventually(ctx, func() string { return holderOf(ctx, c) }).ShouldNot(Or(BeEmpty(), Equal(hosts)))

		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunSucceeded)
		Expect(run.Status.Executor).To(Equal(holderOf(ctx, c)))
		Expect(fedctl(ctx, "backup", "verify", run.Name, "-n", ns, "--cluster", member.Name, "--wait")).To(ContainSubstring("Verified=True"))
		_, err := system.Run(ctx, "backup", "restore", b.Name, "-n", ns, "--cluster", member.Name, "--repository", "store",
			"--namespace-mapping", ns+"="+ns+"-copy", "--wait")
		Expect(err).To(MatchError(ContainSubstring("--backup-rights restore")), "it names the command that grants it")
	}, SpecTimeout(10*time.Minute))
})
