package backup

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

var _ = Describe("A member that does not let backups be executed", func() {
	// events are the notes of a KubeFedCluster's events with a reason.
	events := func(ctx context.Context, cluster, reason string) string {
		GinkgoHelper()
		var notes []string
		for _, note := range kit.Notes(ctx, clients[host.Name], "KubeFedCluster", framework.KubeFedNamespace, cluster) {
			if text, found := strings.CutPrefix(note, reason+": "); found {
				notes = append(notes, text)
			}
		}
		return strings.Join(notes, "\n")
	}
	blockedBy := func(ctx context.Context, cluster string) string {
		GinkgoHelper()
		joined, err := system.Member(ctx, cluster)
		Expect(err).NotTo(HaveOccurred())
		return joined.GetAnnotations()[v1alpha1.BlockedAnnotation]
	}
	status := func(ctx context.Context, cluster, namespace string) map[string]any {
		GinkgoHelper()
		return items(fedctl(ctx, "backup", "status", "-n", namespace, "--request-timeout", "30s", "-o", "json"))[cluster]
	}

	It("says so where users look, until it does", func(ctx SpecContext) {
		member := members[1]
		c := clients[member.Name]
		ns := namespace(ctx, c)
		repo := store(ctx, c, ns)
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")

		By("taking the rights away")
		grant := func(ctx context.Context, rights string) {
			GinkgoHelper()
			fedctl(ctx, "install", "--member", member.Name, "--backup-rights", rights)
		}
		grant(ctx, "none")
		DeferCleanup(func(ctx SpecContext) { grant(ctx, "restore") }, NodeTimeout(3*time.Minute))
		Eventually(ctx, func() string { return events(ctx, member.Name, "BackupsForbidden") }).Should(And(
			ContainSubstring("create leases.coordination.k8s.io"), ContainSubstring("fedctl install --member "+member.Name+" --backup-rights save")))
		Eventually(ctx, func() string { return blockedBy(ctx, member.Name) }).Should(HavePrefix("Forbidden: "))
		b := backup(ctx, c, ns)
		run := manualRun(ctx, c, b)
		// The account that joined may read everything here: what fails is the execution.
		Eventually(ctx, func() map[string]any { return status(ctx, member.Name, ns) }).Should(And(
			HaveKeyWithValue("reason", "Forbidden"), HaveKeyWithValue("objective", "Unknown"),
			HaveKeyWithValue("message", ContainSubstring("fedctl install --member "+member.Name))))
		Expect(blockedBy(ctx, members[0].Name)).To(BeEmpty(), "the others are not concerned")

		By("granting a part of them")
		grant(ctx, "save")
		lease := &rbacv1.RoleBinding{}
		var bindings rbacv1.RoleBindingList
		Expect(c.List(ctx, &bindings, client.InNamespace(framework.KubeFedNamespace))).To(Succeed())
		for i := range bindings.Items {
			if strings.HasPrefix(bindings.Items[i].Name, "fedctl-backup-lease:") {
				lease = &bindings.Items[i]
			}
		}
		Expect(lease.Name).NotTo(BeEmpty())
		Expect(c.Delete(ctx, lease)).To(Succeed())
		Eventually(ctx, func() string { return blockedBy(ctx, member.Name) }).Should(And(
			ContainSubstring("create leases.coordination.k8s.io in "+framework.KubeFedNamespace), Not(ContainSubstring("backupruns"))))

		By("granting them again")
		grant(ctx, "restore")
		expectPhase(ctx, c, run, v1alpha1.RunSucceeded)
		Eventually(ctx, func() string { return blockedBy(ctx, member.Name) }).Should(BeEmpty())
		Eventually(ctx, func() string { return events(ctx, member.Name, "BackupsExecuted") }).ShouldNot(BeEmpty())
		Eventually(ctx, func() map[string]any { return status(ctx, member.Name, ns) }).Should(HaveKeyWithValue("ready", "True"))
	}, SpecTimeout(10*time.Minute))
})
