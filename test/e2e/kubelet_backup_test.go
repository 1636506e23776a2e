package e2e

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// executorName is that of the Deployment of an executor inside a member.
const executorName = "fedctl-backup-executor"

// holderOf is who has a Lease of the control plane's namespace in a cluster.
func holderOf(ctx context.Context, c *framework.Cluster, name string) string {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: framework.KubeFedNamespace, Name: name}, lease); err != nil {
		return "" // while an API server is away, nobody is known
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// database makes a namespace of a member with a pod whose hooks can be seen, and with
// what its Backup needs; the repository is in a directory of the executor.
func database(ctx context.Context, c *framework.Cluster) *corev1.Pod {
	GinkgoHelper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "backup-" + rand.String(6)}}
	Expect(c.Create(ctx, ns)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, ns))).To(Succeed()) }, NodeTimeout(3*time.Minute))
	named := metav1.ObjectMeta{Namespace: ns.Name, Name: "database", Labels: map[string]string{"app": "database"}}
	pod := &corev1.Pod{ObjectMeta: named, Spec: corev1.PodSpec{
		Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		Containers: []corev1.Container{{
			Name: "main", Image: podImage, Args: []string{"serve", ":8080"},
			VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
		}},
	}}
	// A namespace's service account comes a moment after it.
	Eventually(ctx, func() error { return c.Create(ctx, pod.DeepCopy()) }).Should(Succeed())
	Expect(c.Create(ctx, &corev1.Secret{ObjectMeta: named, StringData: map[string]string{"password": "correct horse battery staple"}})).To(Succeed())
	Expect(c.Create(ctx, kit.Parse(fmt.Sprintf(`
apiVersion: backup.fedctl.io/v1alpha1
kind: BackupRepository
metadata: {name: store, namespace: %s}
spec:
  filesystem: {path: /cache/%[1]s}
  encryptionSecretRef: {name: database}`, ns.Name)))).To(Succeed())
	return podOf(ctx, c, ns.Name, named.Labels)
}

// quiesced makes a Backup with hooks that write into the pod, and a schedule.
func quiesced(ctx context.Context, c *framework.Cluster, pod *corev1.Pod, schedule string) {
	GinkgoHelper()
	hook := func(word string) string {
		return fmt.Sprintf("[{podSelector: {matchLabels: {app: database}}, command: [/pod, append, /data/said, %s], onError: Fail}]", word)
	}
	Expect(c.Create(ctx, kit.Parse(fmt.Sprintf(`
apiVersion: backup.fedctl.io/v1alpha1
kind: Backup
metadata: {name: nightly, namespace: %s}
spec:
  schedule: %q
  concurrencyPolicy: Queue
  repositoryRef: {name: store}
  hooks:
    pre: %s
    post: %s`, pod.Namespace, schedule, hook("freeze"), hook("thaw"))))).To(Succeed())
}

// succeeded lists who has executed the runs of a namespace that have succeeded, one for each.
func succeeded(ctx context.Context, g Gomega, c *framework.Cluster, namespace string) []string {
	runs := &unstructured.UnstructuredList{}
	runs.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("BackupRunList"))
	g.Expect(c.List(ctx, runs, client.InNamespace(namespace))).To(Succeed())
	var executors []string
	for _, run := range runs.Items {
		g.Expect(at(run.Object, "/status/phase")).NotTo(BeElementOf("Failed", "PartiallyFailed"), "%s", run.Object["status"])
		if at(run.Object, "/status/phase") == "Succeeded" {
			executor, _ := at(run.Object, "/status/executor").(string)
			executors = append(executors, executor)
		}
	}
	return executors
}

var _ = Describe("An executor of backups as a Pod inside a member", kubeletOnly, Serial, func() {
	It("runs hooks in pods, and follows schedules while the host is frozen", func(ctx SpecContext) {
		c := members[0]
		fedctl(ctx, "install", "--member", c.Name, "--executor", "--backup-rights", "save", "--image", controllerImage(ctx))
		DeferCleanup(func(ctx SpecContext) {
			Expect(c.Delete(ctx, found(ctx, c, deploymentRef(executorName)))).To(Succeed())
		}, NodeTimeout(3*time.Minute))
		executor := podOf(ctx, c, framework.KubeFedNamespace, map[string]string{"app.kubernetes.io/name": executorName})
		hosts := holderOf(ctx, c, v1alpha1.ExecutorLease)
		pod := database(ctx, c)
		quiesced(ctx, c, pod, "@every 5s")

		By("freezing the host with all that runs there")
		Expect(system.Faults().Pause(host.Name)).To(Succeed())
		frozen := time.Now()
		DeferCleanup(func(ctx SpecContext) {
			Expect(system.Faults().Resume(host.Name)).To(Succeed())
			expectControllers(ctx)
			for _, member := range members {
				Expect(system.WaitForMember(ctx, member.Name, true)).To(Succeed())
			}
		}, NodeTimeout(6*time.Minute))
		Eventually(ctx, func() string { return holderOf(ctx, c, v1alpha1.ExecutorLease) }).
			WithTimeout(3*time.Minute).Should(HavePrefix(executor.Name), "before, %q had it", hosts)
		own := holderOf(ctx, c, v1alpha1.ExecutorLease)
		own3 := func(g Gomega) {
			executors := succeeded(ctx, g, c, pod.Namespace)
			g.Expect(len(slices.DeleteFunc(executors, func(e string) bool { return e != own }))).To(BeNumerically(">=", 3), "by %s", own)
		}
		Eventually(ctx, own3).WithTimeout(3 * time.Minute).Should(Succeed())
		AddReportEntry("backups in a member went on", fmt.Sprintf("while its host was frozen for %s", time.Since(frozen).Round(time.Second)), ReportEntryVisibilityAlways)

		By("having run the hooks in the pod, each run's before the next one's")
		said := ask(ctx, c, pod, 8080, "/file", map[string]string{"path": "/data/said"})
		Expect(said).To(MatchRegexp(`^(freeze\nthaw\n){3,}(freeze\n)?$`))
	}, SpecTimeout(15*time.Minute))
})
