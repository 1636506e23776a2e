package backup

import (
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// items are the rows of a document that fedctl backup prints, by cluster.
func items(text string) map[string]map[string]any {
	GinkgoHelper()
	var document struct{ Items []map[string]any }
	Expect(json.Unmarshal([]byte(text), &document)).To(Succeed(), text)
	found := map[string]map[string]any{}
	for _, item := range document.Items {
		found[item["cluster"].(string)] = item
	}
	return found
}

var _ = Describe("The commands for backups", func() {
	It("run, show, read back and restore what a FederatedBackup saves", func(ctx SpecContext) {
		everywhere := map[string]any{"clusterSelector": map[string]any{}}
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "commands-"}}
		Expect(host.Create(ctx, ns)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, ns)).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Expect(host.Create(ctx, federated("FederatedNamespace", ns.Name, ns.Name, map[string]any{"placement": everywhere}))).To(Succeed())
		Expect(host.Create(ctx, federated("FederatedBackup", ns.Name, "nightly", map[string]any{
			"template": map[string]any{"spec": map[string]any{
				"schedule": "@yearly", "repositoryRef": map[string]any{"name": "store"}, "objective": map[string]any{"maxAge": "1h"},
			}},
			"placement": everywhere,
		}))).To(Succeed())
		b := &v1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "nightly"}}
		for _, member := range members {
			c := clients[member.Name]
			Eventually(ctx, func() error { return c.Get(ctx, client.ObjectKeyFromObject(b), b.DeepCopy()) }).Should(Succeed())
			fill(ctx, c, ns.Name)
			store(ctx, c, ns.Name, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns.Name + member.Name) })
		}
		first, second := members[0].Name, members[1].Name
		c := clients[first]
		own := b.DeepCopy()
		own.Name = "own"
		own.Spec = v1alpha1.BackupSpec{Schedule: "@yearly", RepositoryRef: v1alpha1.LocalReference{Name: "store"},
			Source: v1alpha1.BackupSource{IncludedResources: []string{"configmaps", "gadgets.example.com"}}}
		Expect(c.Create(ctx, own)).To(Succeed())

		By("running it")
		expectCondition(ctx, c, b, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		Expect(fedctl(ctx, "backup", "run", "nightly", "-n", ns.Name, "--cluster", first, "--wait")).To(ContainSubstring("Succeeded"))
		row := items(fedctl(ctx, "backup", "list", "nightly", "-n", ns.Name, "--request-timeout", "30s", "-o", "json"))[first]
		Expect(row).To(And(HaveKeyWithValue("phase", "Succeeded"), HaveKeyWithValue("objects", BeNumerically(">=", 2)), HaveKey("duration")))
		run := row["run"].(string)
		Expect(fedctl(ctx, "backup", "list", "-n", ns.Name, "--clusters", first, "--request-timeout", "30s")).To(MatchRegexp(`%s +%s/nightly +%s +Succeeded`, first, ns.Name, run))

		By("showing how it stands")
		Eventually(ctx, func(g Gomega) {
			out := fedctl(ctx, "backup", "status", "-n", ns.Name, "--request-timeout", "30s")
			g.Expect(out).To(MatchRegexp(`%s +%s/nightly +Federated +\S+ ago +OK`, first, ns.Name))
			g.Expect(out).To(MatchRegexp(`%s +%s/own +Member +never`, first, ns.Name))
			g.Expect(strings.Index(out, "/own")).To(BeNumerically("<", strings.Index(out, " ago")), "those that have none come first")
		}).Should(Succeed())
		Eventually(ctx, func(g Gomega) { // the other member's executor has its own time
			out := fedctl(ctx, "backup", "describe", "nightly", "-n", ns.Name, "--request-timeout", "30s")
			g.Expect(out).To(And(
				ContainSubstring("a good run every 1h"), ContainSubstring("Cluster "+first), ContainSubstring("Cluster "+second),
				MatchRegexp(`%s +Succeeded`, run), MatchRegexp(`WithinObjective +True +Recent`), ContainSubstring("fedctl backup verify "+run),
				Not(ContainSubstring("Policy here")), ContainSubstring("wait for the first run")))
		}).Should(Succeed())

		By("telling with its end what is odd about a run")
		ended, err := system.Run(ctx, "backup", "run", "own", "-n", ns.Name, "--cluster", first, "--wait")
		Expect(err).To(MatchError(ContainSubstring("PartiallyFailed")))
		Expect(ended).To(And(ContainSubstring("warning: gadgets.example.com: the cluster has no such resource"), Not(ContainSubstring(v1alpha1.LeftOut))))

		By("reading it back and restoring it")
		Expect(fedctl(ctx, "backup", "verify", run, "-n", ns.Name, "--cluster", first, "--wait")).To(ContainSubstring("Verified=True"))
		Expect(items(fedctl(ctx, "backup", "list", "nightly", "-n", ns.Name, "--request-timeout", "30s", "-o", "json"))[first]).To(HaveKey("verified"))
		target := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns.Name + "-copy"}}
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, target))).To(Succeed()) }, NodeTimeout(3*time.Minute))
		Expect(fedctl(ctx, "backup", "restore", "nightly", "-n", ns.Name, "--cluster", first, "--repository", "store",
			"--namespace-mapping", ns.Name+"="+target.Name, "--resources", "configmaps", "--wait")).To(ContainSubstring("Succeeded"))
		data := &corev1.ConfigMap{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: target.Name, Name: "data"}, data)).To(Succeed())
		Expect(data.Data).To(HaveKeyWithValue("key", "value"))

		By("telling of a member that does not answer")
		Expect(system.Faults().Pause(second)).To(Succeed())
		DeferCleanup(func() { Expect(system.Faults().Resume(second)).To(Succeed()) })
		rows := items(fedctl(ctx, "backup", "status", "-n", ns.Name, "--request-timeout", "5s", "-o", "json"))
		Expect(rows[second]).To(HaveKeyWithValue("objective", "Unknown"))
		Expect(fedctl(ctx, "backup", "list", "-n", ns.Name, "--request-timeout", "5s")).To(MatchRegexp(`(?m)^%s +- +- +Unknown .* NoAnswer`, second))
		Expect(fedctl(ctx, "backup", "describe", "nightly", "-n", ns.Name, "--request-timeout", "5s")).To(ContainSubstring("no answer within 5s"))
		_, err = system.Run(ctx, "backup", "status", "-n", ns.Name, "--request-timeout", "5s", "--exit-code")
		Expect(err).To(MatchError(ContainSubstring("not all backups are within their objective")))
	}, SpecTimeout(10*time.Minute))
})
