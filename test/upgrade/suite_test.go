// Package upgrade changes, on real clusters, a control plane of the previous release to this
// one and back, while something of every default type is federated: no object of any member
// changes, and the controller of either release goes on with what the other one has left.
package upgrade

import (
	"context"
	"os"
	"path/filepath"
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
	system     *framework.System
	host       *framework.Cluster
	members    []*framework.Cluster
	controller *framework.Controller // the one that runs
	// previous and current are the programs of the releases.
	previous, current *framework.Programs
	// manifests are what users have written: what the previous release can be given.
	manifests string
)

func TestUpgrade(t *testing.T) {
	root, err := framework.Root()
	if err != nil {
		t.Fatal(err)
	}
	commit, missing := previousCommit(t.Context(), root)
	switch {
	case missing != "" && os.Getenv(previousEnv) != "":
		t.Fatal(missing)
	case missing != "":
		t.Skip(missing)
	}
	t.Logf("the previous release is commit %s", commit)
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(10 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	BeforeSuite(func(ctx SpecContext) { setUp(ctx, root, commit) }, NodeTimeout(30*time.Minute))
	RunSpecs(t, "releases of the control plane, on real clusters")
}

func setUp(ctx context.Context, root, commit string) {
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 2, func(o *localcluster.Options) { o.GPUMembers = 0 })
	Expect(err).NotTo(HaveOccurred())
	host, members, current = system.Host(), system.Members(), system.Programs
	folder, err := buildPrevious(ctx, root, commit, system.Dir())
	Expect(err).NotTo(HaveOccurred())
	other := *current
	other.Fedctl, other.Controller = filepath.Join(folder, "fedctl"), filepath.Join(folder, "controller")
	previous = &other
}

var _ = AfterSuite(func(ctx SpecContext) {
	if controller != nil {
		Expect(controller.Kill(ctx)).To(Succeed())
	}
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

var _ = JustAfterEach(func() { kit.ReportLog(controller, 30) })

// changeTo changes the control plane to a release as its manifests and then its Deployment
// would: what is there is applied anew while the other controller still runs.
func changeTo(ctx context.Context, programs *framework.Programs) {
	GinkgoHelper()
	run := func(args ...string) {
		GinkgoHelper()
		_, err := programs.Run(ctx, args...)
		Expect(err).NotTo(HaveOccurred())
	}
	run("install", "--without-controller")
	for _, c := range members {
		run("install", "--member", c.Name)
	}
	if controller != nil {
		Expect(controller.Stop(ctx)).To(Succeed())
	}
	var err error
	controller, err = framework.NewControllerIn(ctx, programs.Controller, system.Dir(), host, "controller", framework.KubeFedNamespace)
	Expect(err).NotTo(HaveOccurred())
	controller.Flags = append(controller.Flags, "--leader-elect-lease-duration=25s", "--leader-elect-renew-deadline=20s", "--leader-elect-retry-period=1s")
	Expect(controller.Start(ctx)).To(Succeed())
}
