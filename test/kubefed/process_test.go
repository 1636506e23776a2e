package kubefed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// kubeFedConfig is what KubeFed's chart installs, but for shorter delays: in a
// spec, nobody waits 20 s for a cluster to count as available.
const kubeFedConfig = `
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedConfig
metadata: {name: kubefed, namespace: kube-federation-system}
spec:
  scope: Cluster
  controllerDuration: {availableDelay: 1s, unavailableDelay: 2s, cacheSyncTimeout: 5m}
  leaderElect: {leaseDuration: 8s, renewDeadline: 6s, retryPeriod: 1s, resourceLock: configmaps}
  clusterHealthCheck: {period: 2s, failureThreshold: 3, successThreshold: 1, timeout: 3s}
  syncController: {maxConcurrentReconciles: 1, adoptResources: Enabled}
  statusController: {maxConcurrentReconciles: 1}
  featureGates:
  - {name: PushReconciler, configuration: Enabled}
  - {name: SchedulerPreferences, configuration: Enabled}
`

// installKubeFed puts into the host what KubeFed's chart does, but for the
// Deployments and the webhook.
func installKubeFed(ctx context.Context) {
	GinkgoHelper()
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kubefed").Output()
	Expect(err).NotTo(HaveOccurred())
	chart := filepath.Join(strings.TrimSpace(string(out)), "charts", "kubefed")
	for _, file := range []string{"charts/controllermanager/crds/crds.yaml", "crds/crds.yaml"} {
		content, err := os.ReadFile(filepath.Join(chart, file))
		Expect(err).NotTo(HaveOccurred())
		createYAML(ctx, host, string(content))
	}
	createYAML(ctx, host, "{apiVersion: v1, kind: Namespace, metadata: {name: kube-federation-system}}")
	createYAML(ctx, host, kubeFedConfig)
	content, err := os.ReadFile(filepath.Join(chart, "templates", "federatedtypeconfig.yaml"))
	Expect(err).NotTo(HaveOccurred())
	createYAML(ctx, host, strings.ReplaceAll(string(content), "\nmetadata:\n", "\nmetadata:\n  namespace: "+framework.KubeFedNamespace+"\n"))
}

// kubeFedProcess is KubeFed's controller-manager.
type kubeFedProcess struct {
	command *exec.Cmd
	exited  chan struct{}
	log     string
}

// startKubeFed runs KubeFed's controller-manager against the host and returns
// when it reconciles.
func startKubeFed(ctx context.Context) *kubeFedProcess {
	GinkgoHelper()
	config, err := clientcmd.LoadFromFile(system.Kubeconfig())
	Expect(err).NotTo(HaveOccurred())
	config.CurrentContext = host.Name
	kubeconfig := filepath.Join(system.Dir(), "kubefed.kubeconfig")
	Expect(clientcmd.WriteToFile(*config, kubeconfig)).To(Succeed())

	p := &kubeFedProcess{exited: make(chan struct{}), log: filepath.Join(system.Dir(), "kubefed.log")}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	Expect(err).NotTo(HaveOccurred())
	defer log.Close() //nolint:errcheck // the process has its own descriptor
	p.command = exec.Command(kubefedPath, "--kubeconfig", kubeconfig, "--kubefed-namespace", framework.KubeFedNamespace,
		"--healthz-addr", freeAddress(ctx), "--metrics-addr", freeAddress(ctx), "--v", "2")
	// API servers take the field manager from the program's name: in KubeFed's image it is this one.
	p.command.Args[0] = "controller-manager"
	p.command.Stdout, p.command.Stderr = log, log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	Expect(p.command.Start()).To(Succeed())
	go func() {
		_ = p.command.Wait() // how it ended is told by the log
		close(p.exited)
	}()
	DeferCleanup(func() { p.stop() })
	return p
}

// stop ends the process; it may have ended already.
func (p *kubeFedProcess) stop() {
	GinkgoHelper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		Expect(err).NotTo(HaveOccurred())
	}
	select {
	case <-p.exited:
		return
	case <-time.After(10 * time.Second):
		Expect(p.command.Process.Kill()).To(Succeed())
		<-p.exited
	}
}

// report shows the end of the log with a spec that failed.
func (p *kubeFedProcess) report() {
	content, err := os.ReadFile(p.log)
	if err != nil {
		content = []byte(err.Error())
	}
	lines := strings.Split(string(content), "\n")
	AddReportEntry("End of KubeFed's log", strings.Join(lines[max(0, len(lines)-40):], "\n"), ReportEntryVisibilityFailureOrVerbose)
}

func freeAddress(ctx context.Context) string {
	GinkgoHelper()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close() //nolint:errcheck // nothing was accepted
	return fmt.Sprint(listener.Addr())
}
