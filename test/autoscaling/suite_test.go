// Package autoscaling tests, on real clusters with Kubernetes' own controller of
// HorizontalPodAutoscalers, that nobody fights over replicas. What pods use is what the specs
// say: a server of the suite serves metrics.k8s.io in each member, since nothing runs in the
// pods of local clusters.
package autoscaling

import (
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

var (
	system  *framework.System
	host    *framework.Cluster
	members []*framework.Cluster
	// loads are what pods use in each member, by its name.
	loads = map[string]*load{}
)

func TestAutoscaling(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	RunSpecs(t, "autoscalers on real clusters")
}

// sync is how often the autoscalers of the members look at the load.
const sync = time.Second

// autoscaled has HorizontalPodAutoscalers carried out, without the minutes that they wait for
// what pods need to become warm.
func autoscaled(o *localcluster.Options) {
	o.GPUMembers = 0
	o.Controllers = append([]string{"horizontal-pod-autoscaler-controller"}, localcluster.DefaultControllers...)
	const toZero = "--feature-gates=HPAScaleToZero=true"
	o.ExtraArgs = map[string][]string{
		localcluster.APIServer: {toZero},
		localcluster.ControllerManager: {
			toZero,
			"--horizontal-pod-autoscaler-sync-period=" + sync.String(),
			"--horizontal-pod-autoscaler-cpu-initialization-period=0s",
			"--horizontal-pod-autoscaler-initial-readiness-delay=0s",
			"--horizontal-pod-autoscaler-downscale-stabilization=1s",
		},
	}
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 2, autoscaled)
	Expect(err).NotTo(HaveOccurred())
	host, members = system.Host(), system.Members()
	for _, c := range members {
		loads[c.Name] = serveMetrics(ctx, c)
	}
	Expect(system.Install(ctx)).To(Succeed())
	for _, c := range members {
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
	}
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

var _ = JustAfterEach(func() { kit.ReportLog(system.Controller, 40) })
