package backup

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localstorage"
	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// program starts the executor as it runs inside a member, with a kubeconfig; flags
// come last, and count.
func program(kubeconfig string, flags ...string) *framework.Process {
	GinkgoHelper()
	log := filepath.Join(GinkgoT().TempDir(), "executor.log")
	args := append([]string{
		"--mode=member", "--kubeconfig", kubeconfig,
		"--metrics-bind-address=0", "--health-probe-bind-address=0", "--log-format=text", "--backup-poll=200ms", "--backup-storage-addresses=127.0.0.0/8",
		// Long enough for an API server on a busy machine, which may not answer for some seconds.
		"--leader-elect-lease-duration=15s", "--leader-elect-renew-deadline=12s", "--leader-elect-retry-period=500ms",
	}, flags...)
	p, err := framework.StartProcess(log, system.Programs.Controller, args...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(p.Kill()).To(Succeed()) })
	return p
}

// fillUp makes a namespace hold so much that saving it takes several packs, of some
// 20 MiB each. Random text cannot be compressed to less than three quarters.
func fillUp(ctx context.Context, c client.Client, namespace string) (objects int) {
	GinkgoHelper()
	const size, count = 512 << 10, 160
	var group errgroup.Group
	group.SetLimit(8)
	for i := range count {
		group.Go(func() error {
			raw := make([]byte, size)
			if _, err := rand.Read(raw); err != nil {
				return err
			}
			large := &corev1.ConfigMap{Data: map[string]string{"random": base64.StdEncoding.EncodeToString(raw)}}
			large.Namespace, large.Name = namespace, fmt.Sprintf("large-%d", i)
			return c.Create(ctx, large)
		})
	}
	Expect(group.Wait()).To(Succeed())
	return count
}

var _ = Describe("An executor that is killed while it uploads", func() {
	It("harms nothing: the run is taken over and the repository is whole", func(ctx SpecContext) {
		c := clients[host.Name]
		ns := namespace(ctx, c)
		objects := fillUp(ctx, c, ns)
		repo := store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Retry = &v1alpha1.Retry{Backoff: &metav1.Duration{Duration: time.Second}}
		})
		start := func() *framework.Process { return program(system.Kubeconfig(), "--context", host.Name) }
		first := start()
		expectCondition(ctx, c, repo, v1alpha1.ConditionReady, metav1.ConditionTrue, "Ready")
		before := len(packsIn(pathOf(ns)))

		By("stopping it as soon as some of the data has arrived, and not all")
		run := manualRun(ctx, c, b)
		Eventually(ctx, func() int { return len(packsIn(pathOf(ns))) }).WithPolling(time.Millisecond).Should(BeNumerically(">", before))
		Expect(first.Signal(syscall.SIGSTOP)).To(Succeed())
		interrupted := current(ctx, c, run)
		Expect(interrupted.Status.Phase).To(Equal(v1alpha1.RunRunning))
		Expect(snapshots(ctx, ns)).To(BeEmpty(), "what has arrived is no snapshot")
		Expect(first.Kill()).To(Succeed())

		start()
		run = expectPhase(ctx, c, run, v1alpha1.RunSucceeded)
		Expect(run.Status.Attempts).To(Equal(int32(2)))
		Expect(run.Status.Executor).NotTo(Equal(interrupted.Status.Executor))
		Expect(run.Status.Totals.Objects).To(BeNumerically(">=", objects))
		saved := snapshots(ctx, ns)
		Expect(saved).To(HaveLen(1))
		Expect(saved[0].Run).To(Equal(run.Name))
		Expect(saved[0].ID).To(Equal(run.Status.SnapshotID))

		By("reading all of it back, by us and by kopia itself")
		open, err := repository.OpenReadOnly(ctx, repository.Config{Storage: &repository.Filesystem{Path: pathOf(ns)}, Password: password})
		Expect(err).NotTo(HaveOccurred())
		Expect(open.Verify(ctx, saved[0].ID, true)).To(Succeed())
		Expect(open.Close(ctx)).To(Succeed())
		kopia(ctx, ns, "snapshot", "verify", "--verify-files-percent=100", saved[0].ID)
		Expect(kopia(ctx, ns, "snapshot", "list", "--all")).To(ContainSubstring("fedctl@" + string(uidOf(ctx, c)) + ":/" + ns + "/nightly"))
	}, SpecTimeout(10*time.Minute))
})

var _ = Describe("A command that waits", func() {
	It("tells how far the run is", func(ctx SpecContext) {
		c := clients[host.Name]
		ns := namespace(ctx, c)
		store(ctx, c, ns, hanging)
		b := backup(ctx, c, ns)
		_, err := system.Run(ctx, "backup", "run", b.Name, "-n", ns, "--wait", "--timeout", "10s")
		Expect(err).To(MatchError(And(ContainSubstring(": waits for an executor"), ContainSubstring("it goes on"))))
		execute(nil, ns)
		Eventually(ctx, func() []string { return inPhase(runsIn(ctx, c, ns), v1alpha1.RunRunning) }).Should(HaveLen(1))
		_, err = system.Run(ctx, "backup", "run", b.Name, "-n", ns, "--wait", "--timeout", "20s")
		Expect(err).To(MatchError(ContainSubstring("Pending: Waiting: run " + runsIn(ctx, c, ns)[0].Name + " of the same Backup comes first")))

		By("interrupting it")
		log := filepath.Join(GinkgoT().TempDir(), "fedctl.log")
		said := func() string {
			text, err := os.ReadFile(log)
			Expect(err).NotTo(HaveOccurred())
			return string(text)
		}
		waiting, err := framework.StartProcess(log, system.Fedctl, "backup", "run", b.Name, "-n", ns, "--wait",
			"--kubeconfig", system.Kubeconfig(), "--host-cluster-context", host.Name)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(waiting.Kill()).To(Succeed()) })
		Eventually(ctx, said).Should(ContainSubstring("comes first"))
		Expect(waiting.Signal(syscall.SIGINT)).To(Succeed())
		Eventually(ctx, waiting.Exited()).Should(BeClosed())
		Expect(said()).To(MatchRegexp(`error: interrupted: \S+ has not ended; it goes on\n$`))
		Expect(waiting.ExitCode()).To(Equal(130), "as in a shell")
	}, SpecTimeout(5*time.Minute))
})

// password is what fill puts into the Secret of repositories.
const password = "correct horse battery staple"

// kopia runs kopia's own command line on the repository of a namespace.
func kopia(ctx context.Context, namespace string, args ...string) string {
	GinkgoHelper()
	binary, err := localstorage.Binary("kopia", "FEDCTL_KOPIA")
	Expect(err).NotTo(HaveOccurred())
	home := GinkgoT().TempDir()
	run := func(args ...string) string {
		command := exec.CommandContext(ctx, binary, append(args, "--config-file", filepath.Join(home, "kopia.config"), "--log-dir", home)...)
		command.Env = append(os.Environ(), "HOME="+home, "KOPIA_PASSWORD="+password, "KOPIA_CHECK_FOR_UPDATES=false")
		out, err := command.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), "kopia %v: %s", args, out)
		return string(out)
	}
	run("repository", "connect", "filesystem", "--path", pathOf(namespace), "--readonly")
	return run(args...)
}

// uidOf is the UID that a cluster is known by.
func uidOf(ctx context.Context, c client.Client) types.UID {
	GinkgoHelper()
	return current(ctx, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem}}).UID
}
