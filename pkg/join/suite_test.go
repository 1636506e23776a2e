package join_test

import (
	"context"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/pkg/join"
)

const (
	namespace = "kube-federation-system"
	hostName  = "host"
	member1   = "member-1"
	member2   = "member-2"
)

var (
	fleet  *localcluster.Fleet
	host   client.Client
	scheme = runtime.NewScheme()
)

func TestJoin(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real clusters")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "join")
}

var _ = BeforeSuite(func(ctx context.Context) {
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(fedcorev1beta1.AddToScheme(scheme)).To(Succeed())
	var err error
	dir := GinkgoT().TempDir()
	fleet, err = localcluster.Up(ctx, localcluster.Options{
		Dir: dir, Members: 2, DieWithParent: true, Log: GinkgoWriter,
		Without: []string{localcluster.Scheduler, localcluster.Kwok},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) { Expect(localcluster.Down(ctx, dir)).To(Succeed()) })
	_, err = envtest.InstallCRDs(configOf(hostName), envtest.CRDInstallOptions{Paths: []string{"../../config/crd/core"}})
	Expect(err).NotTo(HaveOccurred())
	host = clientOf(hostName)
	Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: objectMeta("", namespace)})).To(Succeed())
}, NodeTimeout(8*time.Minute))

func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func configOf(name string) *rest.Config {
	GinkgoHelper()
	config, err := fleet.Config(name)
	Expect(err).NotTo(HaveOccurred())
	config.WarningHandler = rest.NoWarnings{}
	return config
}

func clientOf(name string) client.Client {
	GinkgoHelper()
	return clientFor(configOf(name))
}

func clientFor(config *rest.Config) client.Client {
	GinkgoHelper()
	cl, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return cl
}

// joinAs joins a cluster of the fleet and returns what was said.
func joinAs(ctx context.Context, name, of string, change ...func(*join.Options)) ([]string, error) {
	GinkgoHelper()
	var said []string
	o := join.Options{
		ClusterName: name, HostClusterName: hostName, KubeFedNamespace: namespace,
		Say: func(line string) { said = append(said, line) },
	}
	for _, c := range change {
		c(&o)
	}
	err := join.Join(ctx, configOf(hostName), configOf(of), o)
	return said, err
}

func mustJoin(ctx context.Context, name, of string) {
	GinkgoHelper()
	_, err := joinAs(ctx, name, of)
	Expect(err).NotTo(HaveOccurred())
}

func unjoin(ctx context.Context, name string, member *rest.Config, change ...func(*join.UnjoinOptions)) ([]string, error) {
	GinkgoHelper()
	var said []string
	o := join.UnjoinOptions{
		ClusterName: name, DefaultHostClusterName: hostName, KubeFedNamespace: namespace,
		Say: func(line string) { said = append(said, line) },
	}
	for _, c := range change {
		c(&o)
	}
	err := join.Unjoin(ctx, configOf(hostName), member, o)
	return said, err
}

// leave unjoins a member, if it has joined, and waits until no trace is left, whatever the
// accounts were called that the spec has had there, and whoever has used them.
func leave(ctx context.Context, name string) {
	GinkgoHelper()
	member := clientOf(name)
	_, _ = unjoin(ctx, name, configOf(name)) // which refuses some of what specs leave
	for _, list := range []client.ObjectList{
		&rbacv1.ClusterRoleBindingList{}, &rbacv1.ClusterRoleList{}, &admissionv1.ValidatingAdmissionPolicyBindingList{}, &admissionv1.ValidatingAdmissionPolicyList{},
	} {
		Expect(member.List(ctx, list)).To(Succeed())
		Expect(meta.EachListItem(list, func(item runtime.Object) error {
			object, ok := item.(client.Object)
			if !ok || !strings.HasPrefix(object.GetName(), "kubefed-controller-manager:") && !strings.HasPrefix(object.GetName(), "fedctl-namespace-rights.") {
				return nil
			}
			return member.Delete(ctx, object)
		})).To(Succeed())
	}
	_ = member.Delete(ctx, &corev1.Namespace{ObjectMeta: objectMeta("", namespace)})
	Eventually(func() error {
		return member.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
	}).Should(Satisfy(apierrors.IsNotFound))
}

func kubeFedCluster(ctx context.Context, name string) *fedcorev1beta1.KubeFedCluster {
	GinkgoHelper()
	kfc := &fedcorev1beta1.KubeFedCluster{}
	Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, kfc)).To(Succeed())
	return kfc
}
