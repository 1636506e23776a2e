package releases

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	helm "github.com/fedctl/fedctl/hack/helm"
)

// release is one of the charts in a namespace of the host.
type release struct{ chart, name, namespace string }

// configuration is made anew for every action, as each run of Helm's program does: it
// keeps what an API server serves.
func (r release) configuration() *action.Configuration {
	GinkgoHelper()
	flags := genericclioptions.NewConfigFlags(false)
	kubeconfig := system.Kubeconfig()
	flags.KubeConfig, flags.Context, flags.Namespace = &kubeconfig, &host.Name, &r.namespace
	configuration := action.NewConfiguration()
	Expect(configuration.Init(flags, r.namespace, "secret")).To(Succeed())
	return configuration
}

// install installs the chart as it is packaged with a version.
func (r release) install(ctx context.Context, version string, values helm.Values, edit ...func(*action.Install)) error {
	GinkgoHelper()
	chart, err := helm.Load(r.chart, version)
	Expect(err).NotTo(HaveOccurred())
	install := action.NewInstall(r.configuration())
	install.ReleaseName, install.Namespace, install.CreateNamespace = r.name, r.namespace, true
	install.WaitStrategy = kube.HookOnlyStrategy
	for _, change := range edit {
		change(install)
	}
	_, err = install.RunWithContext(ctx, chart, values)
	return err
}

func (r release) upgrade(ctx context.Context, version string, values helm.Values, edit ...func(*action.Upgrade)) error {
	GinkgoHelper()
	chart, err := helm.Load(r.chart, version)
	Expect(err).NotTo(HaveOccurred())
	upgrade := action.NewUpgrade(r.configuration())
	upgrade.Namespace, upgrade.WaitStrategy = r.namespace, kube.HookOnlyStrategy
	for _, change := range edit {
		change(upgrade)
	}
	_, err = upgrade.RunWithContext(ctx, r.name, chart, values)
	return err
}

func (r release) rollback(to int) error {
	GinkgoHelper()
	rollback := action.NewRollback(r.configuration())
	rollback.Version, rollback.WaitStrategy = to, kube.HookOnlyStrategy
	return rollback.Run(r.name)
}

func (r release) uninstall() error {
	GinkgoHelper()
	uninstall := action.NewUninstall(r.configuration())
	uninstall.WaitStrategy = kube.HookOnlyStrategy
	_, err := uninstall.Run(r.name)
	return err
}

// asHelm3 patches as Helm 3 does, in place of applying server-side.
func asHelm3(upgrade *action.Upgrade) { upgrade.ServerSideApply = "false" }

func takingOver(install *action.Install) {
	install.TakeOwnership, install.ForceConflicts = true, true
}
