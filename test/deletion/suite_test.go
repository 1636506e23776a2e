// Package deletion tests that nothing gets stuck: whatever of a federation is
// deleted, in whatever order, with members that are gone or hang, it ends, or the
// status says which cluster is waited for and which command ends the wait.
// The specs break clusters, so they have their own.
package deletion

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

var (
	system  *framework.System
	host    *framework.Cluster
	members []*framework.Cluster
)

func TestDeletion(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Deletion on real clusters")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(klog.NewKlogr())
	var err error
	system, err = framework.Setup(ctx, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	host, members = system.Host(), system.Members()
	if system.Faults() == nil || system.Controller == nil {
		Skip("needs local clusters")
	}
	for _, c := range members {
		allowAll(ctx, c)
	}
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(3*time.Minute))

var _ = JustAfterEach(func() {
	kit.ReportLog(system.Controller, 40)
})

// A spec that failed half way must not break those after it.
var _ = AfterEach(func(ctx SpecContext) {
	for _, c := range members {
		_ = system.Faults().Resume(c.Name) // it need not be paused
		Expect(system.Faults().StartMember(ctx, c.Name)).To(Succeed())
	}
	if !system.Controller.Running() {
		Expect(system.Controller.Restart(ctx)).To(Succeed())
	}
	for _, c := range members {
		Expect(system.Join(ctx, c.Name)).To(Succeed())
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

// allowAll lets the control plane propagate every type to a member: the specs make
// types by the dozen, and joining again for each of them is tested elsewhere.
func allowAll(ctx context.Context, c *framework.Cluster) {
	GinkgoHelper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "e2e-deletion"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: framework.KubeFedNamespace, Name: c.Name + "-" + host.Name}},
	}
	if err := c.Create(ctx, binding); !apierrors.IsAlreadyExists(err) {
		Expect(err).NotTo(HaveOccurred())
	}
}

// fedctl runs fedctl on the suite's clusters and returns what it prints.
func fedctl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return kit.Fedctl(ctx, system, args...)
}
