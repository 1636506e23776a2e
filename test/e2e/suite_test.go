// Package e2e tests the whole of fedctl on real clusters: the programs as they
// are built, installed and joined as a user would, with the rights that an
// installation grants. Specs labelled "local" break clusters or restart the
// controller, which only local clusters allow. Those labelled "kubelet" need pods that
// run, and the control plane as Pods: hack/kind/e2e.sh gives them that.
package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// localOnly labels specs that need local clusters and the controller as a process.
var localOnly = Label("local")

// kubeletOnly labels specs that need real kubelets and the controller as Pods.
var kubeletOnly = Label("kubelet")

var (
	system  *framework.System
	host    *framework.Cluster
	members []*framework.Cluster
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute) // machines under load are slow
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(time.Second)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "fedctl on real clusters")
}

// servingTaintRules has clusters serve DeviceTaintRules, which is not on by default.
func servingTaintRules(o *localcluster.Options) {
	const gate = "--feature-gates=DRADeviceTaintRules=true"
	o.ExtraArgs = map[string][]string{
		localcluster.APIServer: {"--runtime-config=resource.k8s.io/v1beta2=true", gate}, localcluster.Scheduler: {gate},
	}
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(klog.NewKlogr())
	var err error
	system, err = framework.Setup(ctx, GinkgoWriter, servingTaintRules)
	Expect(err).NotTo(HaveOccurred())
	host, members = system.Host(), system.Members()
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(3*time.Minute))

var _ = BeforeEach(func() {
	labels := CurrentSpecReport().Labels()
	switch local := system.Controller != nil; {
	case !local && slices.Contains(labels, "local"):
		Skip("needs local clusters")
	case local && slices.Contains(labels, "kubelet"):
		Skip("needs kubelets")
	}
})

// A controller that died is told by the spec in which it did; those after it are
// not to suffer for it.
var _ = AfterEach(func(ctx SpecContext) {
	if system.Controller == nil || system.Controller.Running() {
		return
	}
	tail := system.Controller.LogTail(25)
	Expect(system.Controller.Restart(ctx)).To(Succeed())
	Fail("the controller has ended:\n" + tail)
})

var _ = JustAfterEach(func() {
	kit.ReportLog(system.Controller, 25)
})

// names returns the clusters' names.
func names(clusters ...*framework.Cluster) []string {
	list := make([]string, 0, len(clusters))
	for _, c := range clusters {
		list = append(list, c.Name)
	}
	return list
}

// fedctl runs fedctl on the suite's clusters and returns what it prints.
func fedctl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return kit.Fedctl(ctx, system, args...)
}
