package backup

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// answeringLate writes a kubeconfig for the host that leads through a proxy, which
// keeps the answers to some requests back until answer is called.
func answeringLate(method, path string) (kubeconfig string, answer func()) {
	GinkgoHelper()
	late := make(chan struct{})
	answer = sync.OnceFunc(func() { close(late) })
	proxy, err := framework.StartProxy(host, func(r *http.Response) error {
		if r.Request.Method == method && strings.Contains(r.Request.URL.Path, path) {
			<-late
		}
		return nil
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(proxy.Close)
	DeferCleanup(answer)
	config := clientcmdapi.NewConfig()
	config.Clusters["host"] = &clientcmdapi.Cluster{Server: proxy.Endpoint(), CertificateAuthorityData: proxy.CABundle()}
	config.Contexts["host"] = &clientcmdapi.Context{Cluster: "host"}
	config.CurrentContext = "host"
	kubeconfig = filepath.Join(GinkgoT().TempDir(), "late.kubeconfig")
	Expect(clientcmd.WriteToFile(*config, kubeconfig)).To(Succeed())
	return kubeconfig, answer
}

// The executor as a program, as it runs inside a member.
var _ = Describe("Executors of one cluster", func() {
	var (
		c  client.Client
		ns string
	)
	eachInHost(&c, &ns)

	start := func() *framework.Process {
		GinkgoHelper()
		return program(system.Kubeconfig(), "--context", host.Name)
	}
	// executes says whether a process is the one that executes: it says so in its log.
	executes := func(p *framework.Process) bool {
		content, err := os.ReadFile(p.LogPath)
		Expect(err).NotTo(HaveOccurred())
		return strings.Contains(string(content), "Executing backups")
	}
	whoExecutes := func(ctx context.Context, a, b *framework.Process) (first, second *framework.Process) {
		GinkgoHelper()
		Eventually(ctx, func() bool { return executes(a) || executes(b) }).Should(BeTrue())
		if executes(a) {
			return a, b
		}
		return b, a
	}

	It("run each time of a schedule once", func(ctx SpecContext) {
		store(ctx, c, ns)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Schedule, s.ConcurrencyPolicy = "@every 2s", v1alpha1.ConcurrencyQueue
		})
		whoExecutes(ctx, start(), start())
		Eventually(ctx, func() int { return len(inPhase(runsIn(ctx, c, ns), v1alpha1.RunSucceeded)) }).Should(BeNumerically(">=", 5))
		change(ctx, c, b, func(b *v1alpha1.Backup) { b.Spec.Suspend = true })
		Eventually(ctx, func(g Gomega) {
			for _, run := range runsIn(ctx, c, ns) {
				g.Expect(run.Status.Phase).To(Equal(v1alpha1.RunSucceeded))
			}
		}).Should(Succeed())
		ran := map[string]int{}
		for _, s := range snapshots(ctx, ns) {
			ran[s.Run]++
		}
		for _, run := range runsIn(ctx, c, ns) {
			Expect(ran[run.Name]).To(Equal(1), "snapshots of run %s", run.Name)
			Expect(run.Status.Attempts).To(Equal(int32(1)))
			Expect(run.Status.Executor).To(Equal(holderOf(ctx, c)))
		}
	}, SpecTimeout(10*time.Minute))

	It("take over what one that was killed has left", func(ctx SpecContext) {
		repo := store(ctx, c, ns, hanging)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Retry = &v1alpha1.Retry{Backoff: &metav1.Duration{Duration: time.Second}}
		})
		first, second := whoExecutes(ctx, start(), start())
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunRunning)
		before := holderOf(ctx, c)
		Expect(run.Status.Executor).To(Equal(before))
		Expect(first.Kill()).To(Succeed())

		// The storage works again, for the one who takes over.
		change(ctx, c, repo, func(r *v1alpha1.BackupRepository) {
			r.Spec.S3, r.Spec.Filesystem = nil, &v1alpha1.FilesystemRepository{Path: pathOf(ns)}
		})
		Eventually(ctx, func() bool { return executes(second) }).Should(BeTrue())
		run = expectPhase(ctx, c, run, v1alpha1.RunSucceeded)
		Expect(run.Status.Attempts).To(Equal(int32(2)))
		Expect(run.Status.Executor).NotTo(Equal(before))
		Expect(snapshots(ctx, ns)).To(HaveLen(1))
	}, SpecTimeout(10*time.Minute))

	It("give back what they have begun when they are asked to end", func(ctx SpecContext) {
		store(ctx, c, ns, hanging)
		b := backup(ctx, c, ns)
		only := start()
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunRunning)
		Expect(only.Signal(syscall.SIGTERM)).To(Succeed())
		run = expectPhase(ctx, c, run, v1alpha1.RunPending)
		Expect(run.Status.Reason).To(Equal("Interrupted"))
		Expect(run.Status.Attempts).To(BeZero(), "it was not the run's fault")
		Eventually(ctx, only.Exited()).Should(BeClosed())
		Expect(holderOf(ctx, c)).To(BeEmpty(), "the Lease was given back")
	}, SpecTimeout(8*time.Minute))

	It("give back what they have just claimed, although the answer comes late", func(ctx SpecContext) {
		store(ctx, c, ns, hanging)
		b := backup(ctx, c, ns)
		kubeconfig, answer := answeringLate(http.MethodPut, "/backupruns/")
		slow := program(kubeconfig)
		Eventually(ctx, func() bool { return executes(slow) }).Should(BeTrue())
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunRunning)
		log, err := os.ReadFile(slow.LogPath)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(log)).NotTo(ContainSubstring("Run started"), "it does not know yet that the run is its own")
		Expect(slow.Signal(syscall.SIGTERM)).To(Succeed())
		time.AfterFunc(2*time.Second, answer) // when it is about to end, most likely
		Eventually(ctx, slow.Exited()).Should(BeClosed())
		Expect(current(ctx, c, run).Status).To(And(
			HaveField("Phase", v1alpha1.RunPending), HaveField("Reason", "Interrupted"), HaveField("Attempts", BeZero())))
	}, SpecTimeout(8*time.Minute))

	It("leave alone what a run of theirs has become meanwhile", func(ctx SpecContext) {
		store(ctx, c, ns, hanging)
		b := backup(ctx, c, ns, func(s *v1alpha1.BackupSpec) {
			s.Retry = &v1alpha1.Retry{Backoff: &metav1.Duration{Duration: time.Hour}}
		})
		first, second := whoExecutes(ctx, start(), start())
		run := expectPhase(ctx, c, manualRun(ctx, c, b), v1alpha1.RunRunning)
		before := run.Status.Executor
		// One that is only stopped loses the Lease without knowing it.
		Expect(first.Signal(syscall.SIGSTOP)).To(Succeed())
		Eventually(ctx, func() bool { return executes(second) }).Should(BeTrue())
		Eventually(ctx, func(g Gomega) {
			status := current(ctx, c, run).Status
			g.Expect(status.Reason+status.Message).To(ContainSubstring("Interrupted"), fmt.Sprint(status))
		}).Should(Succeed())
		Expect(first.Signal(syscall.SIGCONT)).To(Succeed())
		Eventually(ctx, func() string {
			log, err := os.ReadFile(first.LogPath)
			Expect(err).NotTo(HaveOccurred())
			return string(log)
		}).Should(ContainSubstring("does not lead any more"))
		Consistently(ctx, func(g Gomega) {
			status := current(ctx, c, run).Status
			g.Expect(status.Attempts).To(Equal(int32(1)))
			g.Expect(status.Phase).To(Equal(v1alpha1.RunPending), "it waits for its next attempt, after an hour")
			g.Expect(status.Executor).To(Equal(before))
		}).WithTimeout(5 * time.Second).Should(Succeed())
	}, SpecTimeout(10*time.Minute))
})
