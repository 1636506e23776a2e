// Package releases tests the charts as releases on real clusters: Helm's own library
// installs, upgrades, rolls back and removes them, while the controller federates
// something into a member, where nobody is to write because of any of that.
package releases

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

const (
	namespace = framework.KubeFedNamespace
	previous  = "v0.9.0" // a release is this chart with its version, until there are some
	current   = "v0.10.0"
)

var (
	system       *framework.System
	host, member *framework.Cluster
	controller   *framework.Controller

	definitions  = release{chart: "fedctl-crds", name: "definitions", namespace: namespace}
	controlPlane = release{chart: "fedctl", name: "federation", namespace: namespace}
)

func TestReleases(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(3 * time.Second)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	RunSpecs(t, "releases of the charts on real clusters")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 1)
	Expect(err).NotTo(HaveOccurred())
	host, member = system.Host(), system.Members()[0]
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	stopController(ctx)
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

var _ = JustAfterEach(func() { kit.ReportLog(controller, 30) })

func fedctl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return kit.Fedctl(ctx, system, args...)
}
