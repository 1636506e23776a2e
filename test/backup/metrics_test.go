package backup

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// The metrics of Backups.
const (
	metricSuccess   = "fedctl_backup_last_success_timestamp_seconds"
	metricObjective = "fedctl_backup_objective_seconds"
	metricDuration  = "fedctl_backup_last_run_duration_seconds"
	metricBytes     = "fedctl_backup_last_run_bytes"
	metricStored    = "fedctl_backup_last_run_stored_bytes"
	metricFailures  = "fedctl_backup_failures_total"
	metricLeading   = "fedctl_backup_executor_leading"
)

// spread makes a namespace in all clusters, with something to save and a repository
// in each member, and a FederatedBackup "nightly" that is due in a year.
func spread(ctx context.Context, spec map[string]any, overrides ...any) string {
	GinkgoHelper()
	everywhere := map[string]any{"clusterSelector": map[string]any{}}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spread-"}}
	Expect(host.Create(ctx, ns)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, ns))).To(Succeed()) }, NodeTimeout(3*time.Minute))
	Expect(host.Create(ctx, federated("FederatedNamespace", ns.Name, ns.Name, map[string]any{"placement": everywhere}))).To(Succeed())
	template := map[string]any{"schedule": "@yearly", "repositoryRef": map[string]any{"name": "store"}, "retry": map[string]any{"limit": int64(0)}}
	for field, value := range spec {
		template[field] = value
	}
	Expect(host.Create(ctx, federated("FederatedBackup", ns.Name, "nightly", map[string]any{
		"template": map[string]any{"spec": template}, "placement": everywhere, "overrides": overrides,
	}))).To(Succeed())
	for _, member := range members {
		c := clients[member.Name]
		Eventually(ctx, func() error { return c.Get(ctx, client.ObjectKeyFromObject(nightly(ns.Name)), nightly(ns.Name)) }).Should(Succeed())
		fill(ctx, c, ns.Name)
		store(ctx, c, ns.Name, func(r *v1alpha1.BackupRepository) { r.Spec.Filesystem.Path = pathOf(ns.Name + member.Name) })
	}
	return ns.Name
}

func nightly(namespace string) *v1alpha1.Backup {
	return &v1alpha1.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "nightly"}}
}

var _ = Describe("Metrics", func() {
	// series are the values of one Backup in one cluster.
	series := func(ctx context.Context, metric string, cluster *framework.Cluster, namespace string) []float64 {
		GinkgoHelper()
		values, err := system.Controller.Series(ctx, metric, map[string]string{"cluster": cluster.Name, "namespace": namespace, "backup": "nightly"})
		Expect(err).NotTo(HaveOccurred())
		return values
	}

	It("tell how each Backup stands in each cluster, as long as it is there", func(ctx SpecContext) {
		ns := spread(ctx, map[string]any{"objective": map[string]any{"maxAge": "90m"}})
		good, bad := members[0], members[1]
		broken := &v1alpha1.BackupRepository{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "store"}}
		Expect(clients[bad.Name].Delete(ctx, broken)).To(Succeed())
		run := expectPhase(ctx, clients[good.Name], manualRun(ctx, clients[good.Name], nightly(ns)), v1alpha1.RunSucceeded)
		expectPhase(ctx, clients[bad.Name], manualRun(ctx, clients[bad.Name], nightly(ns)), v1alpha1.RunFailed)

		tell := func(g Gomega) {
			g.Expect(series(ctx, metricSuccess, good, ns)).To(Equal([]float64{float64(run.Status.CompletionTime.Unix())}))
			g.Expect(series(ctx, metricDuration, good, ns)).To(Equal([]float64{run.Status.Duration.Seconds()}))
			g.Expect(series(ctx, metricBytes, good, ns)).To(Equal([]float64{float64(run.Status.Totals.Bytes)}))
			g.Expect(series(ctx, metricStored, good, ns)).To(Equal([]float64{float64(run.Status.Totals.StoredBytes)}))
			g.Expect(series(ctx, metricFailures, good, ns)).To(Equal([]float64{0}))
			for _, metric := range []string{metricSuccess, metricDuration, metricBytes, metricStored} {
				g.Expect(series(ctx, metric, bad, ns)).To(BeEmpty(), metric)
			}
			for _, cluster := range members {
				g.Expect(series(ctx, metricObjective, cluster, ns)).To(Equal([]float64{90 * 60}), cluster.Name)
			}
		}
		Expect(run.Status.Totals.Bytes).To(BeNumerically(">", 0))
		Expect(run.Status.Totals.StoredBytes).To(BeNumerically(">", 0))
		Eventually(ctx, tell).Should(Succeed())
		Eventually(ctx, func() []float64 { return series(ctx, metricFailures, bad, ns) }).Should(Equal([]float64{1}))

		By("telling the same after a restart")
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Eventually(ctx, tell).Should(Succeed())

		By("forgetting the objective, and the Backup")
		object := federated("FederatedBackup", ns, "nightly", nil)
		Eventually(ctx, func() error {
			Expect(host.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
			template := object.Object["spec"].(map[string]any)["template"].(map[string]any)
			delete(template["spec"].(map[string]any), "objective")
			return host.Update(ctx, object)
		}).Should(Succeed())
		Eventually(ctx, func() []float64 { return series(ctx, metricObjective, good, ns) }).Should(BeEmpty())
		Expect(series(ctx, metricSuccess, good, ns)).To(HaveLen(1))
		Expect(host.Delete(ctx, object)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			for _, metric := range []string{metricSuccess, metricObjective, metricDuration, metricBytes, metricStored, metricFailures} {
				for _, cluster := range members {
					g.Expect(series(ctx, metric, cluster, ns)).To(BeEmpty(), "%s of %s", metric, cluster.Name)
				}
			}
		}).Should(Succeed())
	}, SpecTimeout(10*time.Minute))

	It("go with the member", func(ctx SpecContext) {
		ns := spread(ctx, nil)
		leaving, staying := members[1], members[0]
		for _, cluster := range members {
			expectPhase(ctx, clients[cluster.Name], manualRun(ctx, clients[cluster.Name], nightly(ns)), v1alpha1.RunSucceeded)
			Eventually(ctx, func() []float64 { return series(ctx, metricBytes, cluster, ns) }).Should(HaveLen(1))
		}
		DeferCleanup(func(ctx SpecContext) {
			fedctl(ctx, "join", leaving.Name, "--cluster-context", leaving.Name)
			fedctl(ctx, "install", "--member", leaving.Name, "--backup-rights", "restore")
			Expect(system.WaitForMember(ctx, leaving.Name, true)).To(Succeed())
		}, NodeTimeout(3*time.Minute))
		fedctl(ctx, "unjoin", leaving.Name, "--cluster-context", leaving.Name)
		Eventually(ctx, func(g Gomega) {
			for _, metric := range []string{metricSuccess, metricDuration, metricBytes, metricStored, metricFailures, metricLeading} {
				values, err := system.Controller.Series(ctx, metric, map[string]string{"cluster": leaving.Name})
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(values).To(BeEmpty(), metric)
			}
		}).Should(Succeed())
		Expect(series(ctx, metricBytes, staying, ns)).To(HaveLen(1))
		leads, err := system.Controller.Series(ctx, metricLeading, map[string]string{"cluster": staying.Name})
		Expect(err).NotTo(HaveOccurred())
		Expect(leads).To(Equal([]float64{1}))
	}, SpecTimeout(10*time.Minute))
})
