// Package controlplane tests control planes as such on real clusters: several of
// them in one host, each of a scope; the settings in a KubeFedConfig and its defaults;
// what the controller may do, and who sees its metrics; and the election of a leader.
package controlplane

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

const central = framework.KubeFedNamespace // the control plane of scope Cluster

var (
	system  *framework.System
	host    *framework.Cluster
	members []*framework.Cluster
	running []*framework.Controller
)

func TestControlPlanes(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	RunSpecs(t, "control planes on real clusters")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 2)
	Expect(err).NotTo(HaveOccurred())
	host, members = system.Host(), system.Members()
	for _, namespace := range []string{teamA, teamB} {
		fedctl(ctx, "install", "--without-controller", "--scope", "Namespaced", "--kubefed-namespace", namespace)
	}
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	for _, controller := range running {
		Expect(controller.Stop(ctx)).To(Succeed())
	}
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

var _ = JustAfterEach(func() {
	for _, controller := range running {
		kit.ReportLog(controller, 15)
	}
})

// fedctl runs fedctl; it must succeed.
func fedctl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return kit.Fedctl(ctx, system, args...)
}

// prepare makes a controller of the control plane in namespace that AfterSuite stops.
func prepare(ctx context.Context, name, namespace string, flags ...string) *framework.Controller {
	GinkgoHelper()
	controller, err := framework.NewControllerIn(ctx, system.Programs.Controller, system.Dir(), host, name, namespace)
	Expect(err).NotTo(HaveOccurred())
	controller.Flags = append(controller.Flags, flags...)
	running = append(running, controller)
	return controller
}

// join makes members of the control plane in namespace and waits until they are ready.
func join(ctx context.Context, namespace string, clusters ...*framework.Cluster) {
	GinkgoHelper()
	for _, member := range clusters {
		fedctl(ctx, "join", member.Name, "--cluster-context", member.Name, "--kubefed-namespace", namespace)
	}
	for _, member := range clusters {
		Eventually(ctx, func(g Gomega) {
			joined := object("core.kubefed.io/v1beta1", "KubeFedCluster", namespace, member.Name)
			g.Expect(host.Get(ctx, client.ObjectKeyFromObject(joined), joined)).To(Succeed())
			conditions, _, _ := unstructured.NestedSlice(joined.Object, "status", "conditions")
			g.Expect(conditions).To(ContainElement(And(HaveKeyWithValue("type", "Ready"), HaveKeyWithValue("status", "True"))))
		}).Should(Succeed())
	}
}

func object(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

// federatedConfigMap is one for all clusters.
func federatedConfigMap(namespace, name string) *unstructured.Unstructured {
	u := object("types.kubefed.io/v1beta1", "FederatedConfigMap", namespace, name)
	u.Object["spec"] = map[string]any{
		"template":  map[string]any{"data": map[string]any{"key": "value"}},
		"placement": map[string]any{"clusterSelector": map[string]any{}},
	}
	return u
}

// has returns whether a cluster has a ConfigMap.
func has(ctx context.Context, c *framework.Cluster, namespace, name string) func() error {
	return func() error {
		return c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.ConfigMap{})
	}
}

// createNamespace creates a namespace in the host.
func createNamespace(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
}

// notes are the events about an object: reason and text.
func notes(ctx context.Context, about client.Object) func() []string {
	return func() []string {
		return kit.Notes(ctx, host, about.GetObjectKind().GroupVersionKind().Kind, about.GetNamespace(), about.GetName())
	}
}
