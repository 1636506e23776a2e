// Package fencing tests, on real clusters, that of several controllers only the one
// that leads writes: one that was paused for longer than its Lease sends nothing of
// what it had decided before.
package fencing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

var (
	system *framework.System
	host   *framework.Cluster
	member *framework.Cluster
	// limited sends one request in five seconds to a member, so that most of what it
	// has decided waits; quick is not limited.
	limited, quick *framework.Controller
	// audit is the directory of what the API servers write down.
	audit string
)

func TestFencing(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(3 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	suite, reporter := GinkgoConfiguration()
	// Those that take long are for "make fencing", which asks for them.
	suite.LabelFilter = cmp.Or(suite.LabelFilter, "!long")
	RunSpecs(t, "fencing on real clusters", suite, reporter)
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	audit = GinkgoT().TempDir()
	system, err = framework.Prepare(ctx, GinkgoWriter, 1, audited(audit))
	Expect(err).NotTo(HaveOccurred())
	host, member = system.Host(), system.Members()[0]
	for _, args := range [][]string{{"install", "--without-controller"}, {"install", "--member", member.Name}, {"join", member.Name, "--cluster-context", member.Name}} {
		_, err := system.Run(ctx, args...)
		Expect(err).NotTo(HaveOccurred())
	}
	onlyTypes(ctx, "namespaces", "configmaps")
	// What waits for the limit must not end with its own time-out.
	flags := []string{
		"--leader-elect-lease-duration=15s", "--leader-elect-renew-deadline=12s", "--leader-elect-retry-period=1s",
		"--request-timeout=10m", "--backups=false",
	}
	limited = prepare(ctx, "limited", append(flags, "--member-qps=0.2", "--member-burst=1")...)
	quick = prepare(ctx, "quick", flags...)
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

var _ = JustAfterEach(func() {
	if !CurrentSpecReport().Failed() {
		return
	}
	for name, controller := range map[string]*framework.Controller{"limited": limited, "quick": quick} {
		AddReportEntry("End of the log of "+name, controller.LogTail(40), ReportEntryVisibilityFailureOrVerbose)
	}
})

func prepare(ctx context.Context, name string, flags ...string) *framework.Controller {
	GinkgoHelper()
	controller, err := framework.NewControllerIn(ctx, system.Programs.Controller, system.Dir(), host, name, framework.KubeFedNamespace)
	Expect(err).NotTo(HaveOccurred())
	controller.Flags = append(controller.Flags, flags...)
	return controller
}

// onlyTypes turns all other types off: their watches would use up what the limit lets pass.
func onlyTypes(ctx context.Context, names ...string) {
	GinkgoHelper()
	all := &unstructured.UnstructuredList{}
	all.SetAPIVersion("core.kubefed.io/v1beta1")
	all.SetKind("FederatedTypeConfigList")
	Expect(host.List(ctx, all, client.InNamespace(framework.KubeFedNamespace))).To(Succeed())
	for i := range all.Items {
		if item := &all.Items[i]; !slices.Contains(names, item.GetName()) {
			patch(ctx, item, `{"spec":{"propagation":"Disabled"}}`)
		}
	}
}

func patch(ctx context.Context, o client.Object, merge string, args ...any) {
	GinkgoHelper()
	Expect(host.Patch(ctx, o, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, merge, args...)))).To(Succeed())
}

func federated(kind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetAPIVersion("types.kubefed.io/v1beta1")
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}
