// Package hostlost loses, on real clusters, the host of a federation: it is exported, the
// host ends, another one takes its place by import and joins the members again, and nothing
// in any member is deleted, made again or rolled. Then the lost host comes back.
package hostlost

import (
	"context"
	"os"
	"strings"
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
	system *framework.System
	// host is the one that is lost, and successor the one that takes its place.
	host, successor *framework.Cluster
	members         []*framework.Cluster
)

func TestHostLost(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(3 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	RunSpecs(t, "a lost host, on real clusters")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 3, func(o *localcluster.Options) { o.GPUMembers = 0 })
	Expect(err).NotTo(HaveOccurred())
	host, members, successor = system.Host(), system.Members()[:2], system.Members()[2]
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

// on runs fedctl on a host.
func on(ctx context.Context, c *framework.Cluster, args ...string) (out, errOut string, err error) {
	return kit.FedctlWith(ctx, []string{"--kubeconfig", system.Kubeconfig(), "--host-cluster-context", c.Name}, args...)
}

// mustOn is on, which must succeed.
func mustOn(ctx context.Context, c *framework.Cluster, args ...string) string {
	GinkgoHelper()
	out, errOut, err := on(ctx, c, args...)
	Expect(err).NotTo(HaveOccurred(), "fedctl %s:\n%s%s", strings.Join(args, " "), out, errOut)
	return out
}

func readFile(path string) string {
	GinkgoHelper()
	raw, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	return string(raw)
}
