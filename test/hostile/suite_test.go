// Package hostile_test holds the controller against members that mean harm: hostile
// servers beside a real cluster, under one controller with the rights of an
// installation. Whatever they answer, the real one is served on, each of them says for
// itself what is wrong, the controller's memory has a bound, and one that is well again
// is served as if nothing had been.
package hostile_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"
	"unicode"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/hostile"
	"github.com/fedctl/fedctl/test/kit"
)

const (
	// ns is federated to all clusters, and settings in it.
	ns            = "shop"
	typesGroup    = "types.kubefed.io/v1beta1"
	configMaps    = "configmaps"
	deployments   = "deployments"
	ofDeployments = "deployments.apps"

	// mostMemory is what the controller may use beside hostile members: what one answer and
	// those of a member together may have, and some more.
	mostMemory = 1 << 30
)

var (
	system *framework.System
	host   *framework.Cluster
	good   *framework.Cluster

	settings = kit.Named(typesGroup, "FederatedConfigMap", ns, "settings")
	target   = kit.Named("v1", "ConfigMap", ns, "settings")
)

func TestHostileMembers(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	ctrl.SetLogger(klog.NewKlogr())
	RunSpecs(t, "hostile members")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	system, err = framework.Prepare(ctx, GinkgoWriter, 1, func(o *localcluster.Options) {
		o.Without = []string{localcluster.ControllerManager, localcluster.Scheduler, localcluster.Kwok}
		// What a watch asks for is then in etcd or nowhere.
		o.ExtraArgs = map[string][]string{localcluster.APIServer: {"--watch-cache=false"}}
	})
	Expect(err).NotTo(HaveOccurred())
	host, good = system.Host(), system.Members()[0]
	Expect(system.Install(ctx)).To(Succeed())
	onlyTypes(ctx, "namespaces", configMaps, ofDeployments)
	Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})).To(Succeed())
	Expect(host.Create(ctx, everywhere("FederatedNamespace", ns, nil))).To(Succeed())
	Expect(host.Create(ctx, everywhere("FederatedConfigMap", "settings", kit.Fields{"data": kit.Fields{"version": "v0"}}))).To(Succeed())
	isServed(ctx)
}, NodeTimeout(10*time.Minute))

var _ = AfterSuite(func(ctx SpecContext) {
	if system != nil {
		Expect(system.Close(ctx)).To(Succeed())
	}
}, NodeTimeout(5*time.Minute))

var _ = JustAfterEach(func() { kit.ReportLog(system.Controller, 25) })

// The controller must outlive everything, within its memory.
var _ = AfterEach(func(ctx SpecContext) {
	if !system.Controller.Running() {
		tail := system.Controller.LogTail(25)
		Expect(system.Controller.Restart(ctx)).To(Succeed())
		Fail("the controller has ended:\n" + tail)
	}
	memory, err := resident(ctx)
	Expect(err).NotTo(HaveOccurred())
	Expect(memory).To(BeNumerically("<", mostMemory))
}, NodeTimeout(5*time.Minute))

// onlyTypes turns all other types off: a controller has enough to do with these.
func onlyTypes(ctx context.Context, names ...string) {
	GinkgoHelper()
	all := &unstructured.UnstructuredList{}
	all.SetAPIVersion("core.kubefed.io/v1beta1")
	all.SetKind("FederatedTypeConfigList")
	Expect(host.List(ctx, all, client.InNamespace(framework.KubeFedNamespace))).To(Succeed())
	for i := range all.Items {
		if item := &all.Items[i]; !slices.Contains(names, item.GetName()) {
			Expect(host.Patch(ctx, item, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"propagation":"Disabled"}}`)))).To(Succeed())
		}
	}
}

// everywhere is a federated object for all clusters.
func everywhere(kind, name string, template kit.Fields) *unstructured.Unstructured {
	u := kit.Named(typesGroup, kind, ns, name).Empty()
	u.Object["spec"] = kit.Fields{"placement": kit.Fields{"clusterSelector": kit.Fields{}}}
	if template != nil {
		kit.Set(u.Object, "/spec/template", template)
	}
	return u
}

// resident is how much memory the controller's process has.
func resident(ctx context.Context) (float64, error) {
	return system.Controller.Metric(ctx, "process_resident_memory_bytes")
}

var version = 0

// isServed changes what the real member holds and waits until it does.
func isServed(ctx context.Context) {
	GinkgoHelper()
	version++
	wanted := fmt.Sprintf("v%d", version)
	kit.Change(ctx, host, settings, func(u *unstructured.Unstructured) { kit.Set(u.Object, "/spec/template/data/version", wanted) })
	kit.ExpectField(ctx, good, target, "/data/version", wanted)
}

// enemy is a hostile server that the host takes for a member.
type enemy struct {
	*hostile.Server
	name string
}

// enlist starts a server that means harm to those who ask for a resource, and has the
// host take it for a member until the spec ends.
func enlist(ctx context.Context, name, resource string, mode hostile.Mode) *enemy {
	GinkgoHelper()
	server := hostile.Start(resource)
	DeferCleanup(server.Close)
	server.SetUID(name)
	server.Become(mode)
	for _, object := range []*unstructured.Unstructured{
		{Object: kit.Fields{
			"apiVersion": "v1", "kind": "Secret", "metadata": kit.Fields{"namespace": framework.KubeFedNamespace, "name": name},
			"stringData": kit.Fields{"token": "hostile-token"},
		}},
		{Object: kit.Fields{
			"apiVersion": framework.KubeFedCluster.GroupVersion().String(), "kind": "KubeFedCluster",
			"metadata": kit.Fields{"namespace": framework.KubeFedNamespace, "name": name},
			"spec": kit.Fields{
				"apiEndpoint": server.URL(), "caBundle": base64.StdEncoding.EncodeToString(server.CABundle()), "secretRef": kit.Fields{"name": name},
			},
		}},
	} {
		Expect(host.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, object)).To(Succeed()) }, NodeTimeout(3*time.Minute))
	}
	return &enemy{server, name}
}

// ready waits until the host finds the members well.
func ready(ctx context.Context, enemies ...*enemy) {
	GinkgoHelper()
	for _, e := range enemies {
		Expect(system.WaitForMember(ctx, e.name, true)).To(Succeed())
	}
}

// condition is what the member's condition Ready says.
func (e *enemy) condition(ctx context.Context) (status, message string) {
	GinkgoHelper()
	member, err := system.Member(ctx, e.name)
	Expect(err).NotTo(HaveOccurred())
	c := conditionOf(member, "Ready")
	status, _ = c["status"].(string)
	message, _ = c["message"].(string)
	return status, message
}

// says is the message of the member's condition Ready.
func (e *enemy) says(ctx context.Context) string {
	GinkgoHelper()
	_, message := e.condition(ctx)
	return message
}

// verdict is what the status of a federated object says of the member.
func (e *enemy) verdict(ctx context.Context, of kit.Ref) string {
	GinkgoHelper()
	u := kit.Found(ctx, host, of)
	clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
	for _, item := range clusters {
		c, _ := item.(kit.Fields)
		if c["name"] != e.name {
			continue
		}
		word, _ := c["status"].(string)
		message, _ := c["message"].(string)
		Expect(len(message)).To(BeNumerically("<=", 1024))
		Expect(slices.ContainsFunc([]rune(message), func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })).To(BeFalse(), "%q", message)
		if word == "" {
			return ok
		}
		return word + ": " + message
	}
	return "no word"
}

// ok is the verdict of a cluster that holds what it is to hold.
const ok = "OK"

func conditionOf(u *unstructured.Unstructured, kind string) kit.Fields {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, item := range conditions {
		if c, isOne := item.(kit.Fields); isOne && c["type"] == kind {
			return c
		}
	}
	return kit.Fields{}
}
