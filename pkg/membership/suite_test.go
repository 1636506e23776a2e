package membership_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/settings"
)

const (
	namespace = "kube-federation-system"
	hostName  = "host"
	member1   = "member-1"
	member2   = "member-2" // has a GPU node

	// Probes of the provider under test; within inTime a change must be noticed.
	period  = 200 * time.Millisecond
	timeout = 3 * time.Second
	inTime  = 2 * time.Minute
)

var (
	fleet  *localcluster.Fleet
	host   client.Client
	scheme = runtime.NewScheme()
)

func TestMembership(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real clusters")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(inTime)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "membership")
}

var _ = BeforeSuite(func(ctx context.Context) {
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(fedcorev1beta1.AddToScheme(scheme)).To(Succeed())
	Expect(apiextensionsv1.AddToScheme(scheme)).To(Succeed())
	var err error
	dir := GinkgoT().TempDir()
	fleet, err = localcluster.Up(ctx, localcluster.Options{
		Dir: dir, Members: 2, GPUMembers: 1, DieWithParent: true, Log: GinkgoWriter,
		Without: []string{localcluster.Scheduler, localcluster.Kwok},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) { Expect(localcluster.Down(ctx, dir)).To(Succeed()) })
	_, err = envtest.InstallCRDs(configOf(hostName), envtest.CRDInstallOptions{Paths: []string{"../../config/crd/core"}})
	Expect(err).NotTo(HaveOccurred())
	host = clientOf(hostName)
	Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: objectMeta("", namespace)})).To(Succeed())
}, NodeTimeout(8*time.Minute))

func configOf(name string) *rest.Config {
	GinkgoHelper()
	config, err := fleet.Config(name)
	Expect(err).NotTo(HaveOccurred())
	config.WarningHandler = rest.NoWarnings{}
	return config
}

func clientOf(name string) client.Client {
	GinkgoHelper()
	cl, err := client.New(configOf(name), client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return cl
}

// mustJoin makes a cluster of the fleet a member under a name.
func mustJoin(ctx context.Context, name, of string) {
	GinkgoHelper()
	Expect(join.Join(ctx, configOf(hostName), configOf(of), join.Options{
		ClusterName: name, HostClusterName: hostName, KubeFedNamespace: namespace, RBAC: join.RBACUsual,
	})).To(Succeed())
}

func unjoin(ctx context.Context, name string) error {
	return join.Unjoin(ctx, configOf(hostName), configOf(name), join.UnjoinOptions{
		ClusterName: name, DefaultHostClusterName: hostName, KubeFedNamespace: namespace,
	})
}

// leave unjoins a member, if it has joined, and waits until no trace is left.
func leave(ctx context.Context, name string) {
	GinkgoHelper()
	_ = unjoin(ctx, name)
	_ = clientOf(name).Delete(ctx, &corev1.Namespace{ObjectMeta: objectMeta("", namespace)})
	Eventually(func() error {
		return clientOf(name).Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
	}).Should(Satisfy(apierrors.IsNotFound))
}

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func kubeFedCluster(ctx context.Context, name string) *fedcorev1beta1.KubeFedCluster {
	GinkgoHelper()
	kfc := &fedcorev1beta1.KubeFedCluster{}
	Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, kfc)).To(Succeed())
	return kfc
}

// readiness is the Ready condition as "True ClusterReady message".
func readiness(ctx context.Context, name string) string {
	return conditionText(kubeFedCluster(ctx, name), fedcommon.ClusterReady)
}

func conditionText(kfc *fedcorev1beta1.KubeFedCluster, kind fedcommon.ClusterConditionType) string {
	for _, c := range kfc.Status.Conditions {
		if c.Type == kind {
			return fmt.Sprintf("%s %s %s", c.Status, *c.Reason, *c.Message)
		}
	}
	return ""
}

// An engagement is one call of Engage.
type engagement struct {
	ctx     context.Context //nolint:containedctx // it is what is looked at
	cluster cluster.Cluster
}

// recorder stands where the controllers are in the program.
type recorder struct {
	mu       sync.Mutex
	engaged  map[string][]engagement
	notified map[string]int
	refuse   error
}

func (r *recorder) Engage(ctx context.Context, name multicluster.ClusterName, cl cluster.Cluster) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return r.refuse
	}
	r.engaged[name.String()] = append(r.engaged[name.String()], engagement{ctx, cl})
	return nil
}

func (r *recorder) of(name string) []engagement {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.engaged[name]
}

func (r *recorder) notifications(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.notified[name]
}

// startProvider runs a provider for the length of a spec.
func startProvider(plugins ...reach.Plugins) (*membership.Provider, *recorder) {
	GinkgoHelper()
	hostCluster, err := cluster.New(configOf(hostName), func(o *cluster.Options) { o.Scheme = scheme })
	Expect(err).NotTo(HaveOccurred())
	provider, err := membership.New(hostCluster, membership.Options{
		KubeFedNamespace: namespace, Plugins: append(plugins, nil)[0],
		Members: settings.Members{
			HealthCheckPeriod: period, HealthCheckTimeout: timeout, FailureThreshold: 2, SuccessThreshold: 1, RequestTimeout: 5 * time.Second,
		},
	})
	Expect(err).NotTo(HaveOccurred())
	r := &recorder{engaged: map[string][]engagement{}, notified: map[string]int{}}
	provider.Subscribe(func(name string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.notified[name]++
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- provider.Start(ctx, r) }()
	DeferCleanup(func() {
		cancel()
		Eventually(done).Should(Receive(BeNil()))
	})
	return provider, r
}

func infoOf(p *membership.Provider, name string) membership.Info {
	info, _ := p.Info(name)
	return info
}

func isReady(p *membership.Provider, name string) func() bool {
	return func() bool { return infoOf(p, name).Ready }
}
