package typeconfig_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/install"
	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

const namespace = "kube-federation-system"

var (
	host       client.Client // with all rights
	hostConfig *rest.Config
)

func TestController(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real API server")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(500 * time.Millisecond)
	RunSpecs(t, "typeconfig")
}

var _ = BeforeSuite(func(ctx context.Context) {
	dir := GinkgoT().TempDir()
	fleet, err := localcluster.Up(ctx, localcluster.Options{
		Dir: dir, DieWithParent: true, Log: GinkgoWriter,
		Without: []string{localcluster.ControllerManager, localcluster.Scheduler, localcluster.Kwok},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) { Expect(localcluster.Down(ctx, dir)).To(Succeed()) })
	hostConfig, err = fleet.Config("host")
	Expect(err).NotTo(HaveOccurred())
	hostConfig.WarningHandler = rest.NoWarnings{}
	host = clientFor(hostConfig)
	objects, err := manifests.Build(manifests.Options{Namespace: namespace, WithoutController: true})
	Expect(err).NotTo(HaveOccurred())
	installer := &install.Installer{Client: host, Out: GinkgoWriter}
	Expect(installer.Install(ctx, objects)).To(Succeed())
}, NodeTimeout(8*time.Minute))

func clientFor(config *rest.Config) client.Client {
	GinkgoHelper()
	c, err := client.New(config, client.Options{Scheme: cmdutil.Scheme})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// controllerConfig is what the controller gets in its Pod: the rights of its
// ServiceAccount, and no others.
func controllerConfig(ctx context.Context) *rest.Config {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: kubefedconfig.Controller}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](3600)}}
	Expect(host.SubResource("token").Create(ctx, account, request)).To(Succeed())
	config := rest.AnonymousClientConfig(hostConfig)
	config.BearerToken = request.Status.Token
	config.WarningHandler = rest.NoWarnings{}
	return config
}

func theHost() *enablement.Host {
	GinkgoHelper()
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(hostConfig)
	Expect(err).NotTo(HaveOccurred())
	return &enablement.Host{Client: host, Discovery: discoveryClient, Namespace: namespace, Out: GinkgoWriter}
}
