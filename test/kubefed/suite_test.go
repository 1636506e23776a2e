// Package kubefed holds fedctl against KubeFed v0.10.0 itself, on real clusters:
// its command-line client drives fedctl's control plane, and its controller hands
// a running federation over to fedctl's and takes it back. Both programs are
// built from KubeFed's own module (make bin/kubefedctl).
package kubefed

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

var (
	system  *framework.System
	host    *framework.Cluster
	members []*framework.Cluster
	// kubefedctlPath is KubeFed's client.
	kubefedctlPath string
)

func TestKubeFed(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	RunSpecs(t, "fedctl and KubeFed v0.10.0")
}

var _ = BeforeSuite(func() {
	var err error
	kubefedctlPath, _, err = framework.KubeFedPrograms()
	Expect(err).NotTo(HaveOccurred())
})

// startClusters gives a container of specs a host and two members of its own:
// each needs a control plane from the start.
func startClusters(ctx SpecContext) {
	GinkgoHelper()
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 2)
	Expect(err).NotTo(HaveOccurred())
	host, members = system.Host(), system.Members()
	DeferCleanup(func(ctx SpecContext) { Expect(system.Close(ctx)).To(Succeed()) }, NodeTimeout(3*time.Minute))
}

// output is what a run of kubefedctl printed, and how it ended.
type output struct {
	stdout, stderr string
	err            error
}

// kubefedctl runs KubeFed's client on the clusters; it must succeed.
func kubefedctl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out := tryKubefedctl(ctx, args...)
	Expect(out.err).NotTo(HaveOccurred(), "kubefedctl %s:\n%s%s", strings.Join(args, " "), out.stdout, out.stderr)
	return out.stdout
}

func tryKubefedctl(ctx context.Context, args ...string) output {
	command := exec.CommandContext(ctx, kubefedctlPath, append(args, "--kubeconfig", system.Kubeconfig(), "--host-cluster-context", host.Name)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	_, _ = fmt.Fprintf(GinkgoWriter, "$ kubefedctl %s\n%s%s", strings.Join(args, " "), stdout.String(), stderr.String())
	return output{stdout.String(), stderr.String(), err}
}

var _ = JustAfterEach(func() {
	if system != nil {
		kit.ReportLog(system.Controller, 25)
	}
})
