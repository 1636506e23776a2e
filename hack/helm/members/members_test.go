// Package members has Helm's own library install into a member, upgrade, roll back and
// remove there what a team deploys, with nothing but the host's login: the kubeconfig is the
// one that "fedctl kubeconfig" prints, and leads through the API of the fleet.
package members

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v4/pkg/action"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

const shop = "shop"

var (
	system *framework.System
	member *framework.Cluster
	server *framework.FleetAPI

	deployment = kit.Named("apps/v1", "Deployment", shop, "web")
	settings   = kit.Named("v1", "ConfigMap", shop, "web")
)

func TestMembers(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	RunSpecs(t, "Helm in a member")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 1, func(o *localcluster.Options) { o.GPUMembers = 0 })
	Expect(err).NotTo(HaveOccurred())
	member = system.Members()[0]
	Expect(system.StartControlPlane(ctx)).To(Succeed())
	server, err = system.InstallFleetAPI(ctx)
	Expect(err).NotTo(HaveOccurred())
	kit.Fedctl(ctx, system, "join", member.Name, "--cluster-context", member.Name, "--fleet-access")
	Expect(system.WaitForMember(ctx, member.Name, true)).To(Succeed())
	Expect(member.Create(ctx, &rbacv1.ClusterRoleBinding{ // the host's administrator is nobody special there
		ObjectMeta: metav1.ObjectMeta{Name: "administrators-of-the-host"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: "host:system:masters"}},
	})).To(Succeed())
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if server != nil {
		Expect(server.Stop(ctx)).To(Succeed())
	}
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

var _ = JustAfterEach(func() {
	if server != nil {
		kit.ReportLog(server.Controller, 30)
	}
})

// configuration is made anew for every action, as each run of Helm's program does.
func configuration(kubeconfig string) *action.Configuration {
	GinkgoHelper()
	flags, name, namespace := genericclioptions.NewConfigFlags(false), "host/"+member.Name, shop
	flags.KubeConfig, flags.Context, flags.Namespace = &kubeconfig, &name, &namespace
	made := action.NewConfiguration()
	Expect(made.Init(flags, shop, "secret")).To(Succeed())
	return made
}

func chart() *helmchart.Chart {
	GinkgoHelper()
	loaded, err := loader.Load("testdata/web")
	Expect(err).NotTo(HaveOccurred())
	return loaded
}

var _ = Describe("A release in a member, through the host", Ordered, func() {
	const patience = time.Minute
	var kubeconfig string

	It("is installed, with hooks, and waited for", func(ctx SpecContext) {
		kubeconfig = filepath.Join(system.Dir(), "fleet.yaml")
		Expect(os.WriteFile(kubeconfig, []byte(kit.Fedctl(ctx, system, "kubeconfig", member.Name)), 0o600)).To(Succeed())
		Eventually(ctx, func() error {
			install := action.NewInstall(configuration(kubeconfig))
			install.ReleaseName, install.Namespace, install.CreateNamespace, install.Replace = "web", shop, true, true
			install.WaitStrategy, install.Timeout = kube.StatusWatcherStrategy, patience
			_, err := install.RunWithContext(ctx, chart(), nil)
			return err
		}).Should(Succeed(), "the rights are heard of soon")
		kit.ExpectField(ctx, member, deployment, "/status/readyReplicas", 1)
		kit.ExpectField(ctx, member, settings, "/data/greeting", "hello")
	}, SpecTimeout(5*time.Minute))

	for _, way := range []struct{ by, serverSide string }{{"server-side", "true"}, {"as Helm 3", "false"}} {
		It("is upgraded "+way.by+", and rolled back", func(ctx SpecContext) {
			upgrade := action.NewUpgrade(configuration(kubeconfig))
			upgrade.Namespace, upgrade.ServerSideApply = shop, way.serverSide
			upgrade.WaitStrategy, upgrade.Timeout = kube.StatusWatcherStrategy, patience
			_, err := upgrade.RunWithContext(ctx, "web", chart(), map[string]any{"replicas": 3, "greeting": way.by})
			Expect(err).NotTo(HaveOccurred())
			kit.ExpectField(ctx, member, deployment, "/status/readyReplicas", 3)
			kit.ExpectField(ctx, member, settings, "/data/greeting", way.by)

			rollback := action.NewRollback(configuration(kubeconfig))
			rollback.Version, rollback.WaitStrategy, rollback.Timeout = 1, kube.StatusWatcherStrategy, patience
			Expect(rollback.Run("web")).To(Succeed())
			kit.ExpectField(ctx, member, deployment, "/spec/replicas", 1)
			kit.ExpectField(ctx, member, settings, "/data/greeting", "hello")
		}, SpecTimeout(5*time.Minute))
	}

	It("is listed, and removed", func(ctx SpecContext) {
		found, err := action.NewList(configuration(kubeconfig)).Run()
		Expect(err).NotTo(HaveOccurred())
		Expect(found).To(HaveLen(1))
		uninstall := action.NewUninstall(configuration(kubeconfig))
		uninstall.WaitStrategy, uninstall.Timeout = kube.StatusWatcherStrategy, patience
		_, err = uninstall.Run("web")
		Expect(err).NotTo(HaveOccurred())
		kit.ExpectGone(ctx, member, deployment)
		kit.ExpectGone(ctx, member, settings)
	}, SpecTimeout(5*time.Minute))
})
