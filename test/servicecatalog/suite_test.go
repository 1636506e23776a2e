// Package servicecatalog federates Service Catalog's resources, and such as people use today
// instead, to real clusters. What is federated is examples/service-catalog and examples/claims.
// The broker is Service Catalog's own test-broker; its controller cannot run on Kubernetes 1.22
// and later, so a small stand-in for it (standin_test.go, admission_test.go) runs for each member.
package servicecatalog

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

var (
	system  *framework.System
	host    *framework.Cluster
	members []*framework.Cluster
	// brokers are the ways to the broker, by the member that goes it.
	brokers = map[string]*broker{}
)

func TestServiceCatalog(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(3 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(logr.Discard())
	RunSpecs(t, "Service Catalog's resources on real clusters")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 2, func(o *localcluster.Options) { o.GPUMembers = 0 })
	Expect(err).NotTo(HaveOccurred())
	host, members = system.Host(), system.Members()
	Expect(system.Install(ctx)).To(Succeed())
	address := startBroker(ctx)
	for _, c := range append([]*framework.Cluster{host}, members...) {
		for _, file := range []string{"service-catalog/definitions.yaml", "claims/definition.yaml"} {
			Expect(framework.ApplyFile(ctx, c, "examples/"+file)).To(Succeed())
		}
	}
	for _, c := range members {
		Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		brokers[c.Name] = wayTo(address)
		admit(ctx, c)
		start(c)
	}
	for _, name := range []string{catalogType("clusterservicebrokers"), catalogType("serviceinstances"), catalogType("servicebindings"), "databases.platform.example.com"} {
		enable(ctx, name)
	}
	federateBroker(ctx)
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

var _ = JustAfterEach(func() { kit.ReportLog(system.Controller, 40) })

func catalogType(plural string) string { return plural + "." + group }

// enable has a type federated, with its status collected, as the examples say.
func enable(ctx context.Context, name string) {
	GinkgoHelper()
	kit.Fedctl(ctx, system, "enable", name, "--join")
	config := kit.Named("core.kubefed.io/v1beta1", "FederatedTypeConfig", framework.KubeFedNamespace, name)
	u := kit.Found(ctx, host, config)
	kit.Set(u.Object, "/spec/statusCollection", "Enabled")
	Expect(host.Update(ctx, u)).To(Succeed())
	kit.ExpectField(ctx, host, config, "/status/propagationController", "Running")
}

// startBroker starts Service Catalog's test-broker and returns its address.
func startBroker(ctx context.Context) string {
	GinkgoHelper()
	root, err := framework.Root()
	Expect(err).NotTo(HaveOccurred())
	program := filepath.Join(root, "bin", "test-broker")
	Expect(program).To(BeAnExistingFile(), "make bin/test-broker builds it")
	address, err := framework.FreeAddress()
	Expect(err).NotTo(HaveOccurred())
	_, port, err := net.SplitHostPort(address)
	Expect(err).NotTo(HaveOccurred())
	log := filepath.Join(system.Dir(), "test-broker.log")
	process, err := framework.StartProcess(log, program, "--port", port)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(process.Kill)
	address = "http://" + address
	Eventually(ctx, func() error {
		_, err := ask(ctx, http.MethodGet, address+"/v2/catalog", nil)
		return err
	}).Should(Succeed())
	return address
}
