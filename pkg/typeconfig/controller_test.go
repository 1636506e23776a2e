package typeconfig_test

import (
	"context"
	"maps"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/settings"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/controller"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// record is a Registrar that only remembers what it was told.
type record struct {
	mu      sync.Mutex
	running map[string]typeconfig.Type
	calls   int
}

func newRecord() *record {
	return &record{running: map[string]typeconfig.Type{}}
}

func (r *record) Register(_ context.Context, t typeconfig.Type) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[t.Name] = t
	r.calls++
	return nil
}

func (r *record) Unregister(_ context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, name)
	r.calls++
	return nil
}

func (r *record) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.running))
}

func (r *record) get(name string) typeconfig.Type {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[name]
}

func (r *record) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// held creates a federated object with the finalizer of propagation and one of
// somebody else's; the returned function tells which are left.
func held(ctx context.Context, kind string) func(context.Context) []string {
	GinkgoHelper()
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "types.kubefed.io/v1beta1", "kind": kind,
		"metadata": map[string]any{"name": "held", "namespace": "default", "finalizers": []any{federate.Finalizer, "example.com/other"}},
		"spec":     map[string]any{},
	}}
	Expect(host.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		change(ctx, object, func() { object.SetFinalizers(nil) })
		Expect(host.Delete(ctx, object)).To(Succeed())
	})
	return func(ctx context.Context) []string {
		Expect(host.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		return object.GetFinalizers()
	}
}

// start runs the controller with the rights of its ServiceAccount; the returned
// function stops it, as a crash would: without a word to the registrar.
func start(ctx context.Context, registrar typeconfig.Registrar) (stop func()) {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(controllerConfig(ctx), ctrl.Options{
		Scheme:     cmdutil.Scheme,
		Logger:     GinkgoLogr,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Cache:      cache.Options{ByObject: controller.CacheByObject(namespace)},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(controller.Setup(mgr, controller.Options{Types: settings.Types{PushReconciler: true, CollectStatus: true}, Namespace: namespace, Registrar: registrar})).To(Succeed())
	running, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(done)
		Expect(mgr.Start(running)).To(Succeed())
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	DeferCleanup(stop)
	return stop
}

func typeConfig(ctx context.Context, name string) *fedcorev1beta1.FederatedTypeConfig {
	out := &fedcorev1beta1.FederatedTypeConfig{}
	if err := host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, out); err != nil {
		return nil
	}
	return out
}

// running is a function for Eventually that tells whether the status says so.
func running(ctx context.Context, name string) func() bool {
	return func() bool {
		found := typeConfig(ctx, name)
		return found != nil && found.Status.ObservedGeneration == found.Generation &&
			found.Status.PropagationController == fedcorev1beta1.ControllerStatusRunning
	}
}

func stopped(ctx context.Context, name string) func() bool {
	return func() bool {
		found := typeConfig(ctx, name)
		return found != nil && found.Status.ObservedGeneration == found.Generation &&
			found.Status.PropagationController == fedcorev1beta1.ControllerStatusNotRunning
	}
}

var defaultTypes = []string{
	"backups.backup.fedctl.io", "clusterroles.rbac.authorization.k8s.io", "configmaps", "deployments.apps",
	"horizontalpodautoscalers.autoscaling", "ingresses.networking.k8s.io", "jobs.batch", "namespaces", "replicasets.apps", "secrets", "serviceaccounts", "services",
}

var _ = Describe("the controller", Ordered, func() {
	It("runs the default types, says so once, and does nothing more", func(ctx context.Context) {
		types := newRecord()
		stop := start(ctx, types)
		Eventually(types.names).Should(Equal(defaultTypes))
		for _, name := range defaultTypes {
			Eventually(running(ctx, name)).Should(BeTrue(), name)
			Expect(typeConfig(ctx, name).Finalizers).To(ConsistOf(typeconfig.Finalizer))
		}
		Expect(types.get("namespaces").IsNamespace).To(BeTrue())
		Expect(types.get("backups.backup.fedctl.io").StatusCollection).To(BeTrue())
		Expect(types.get("configmaps").FederatedNamespace).To(Equal(types.get("namespaces").Federated))
		Expect(types.get("clusterroles.rbac.authorization.k8s.io").FederatedNamespace).To(BeZero())

		versions := func() map[string]string {
			out := map[string]string{}
			for _, name := range defaultTypes {
				out[name] = typeConfig(ctx, name).ResourceVersion
			}
			return out
		}
		before, calls := versions(), types.count()
		Consistently(versions).Should(Equal(before), "no status is written without a change")
		stop()

		again := newRecord()
		start(ctx, again)
		Eventually(again.names).Should(Equal(defaultTypes))
		Consistently(versions).Should(Equal(before), "a restart writes nothing")
		Expect(again.count()).To(Equal(calls))
	})

	It("follows switches of propagation and status collection", func(ctx context.Context) {
		types := newRecord()
		start(ctx, types)
		Eventually(types.names).Should(Equal(defaultTypes))

		config := typeConfig(ctx, "secrets")
		change(ctx, config, func() { config.Spec.StatusCollection = ptr.To(fedcorev1beta1.StatusCollectionEnabled) })
		Eventually(func() bool { return types.get("secrets").StatusCollection }).Should(BeTrue())
		Eventually(func() fedcorev1beta1.ControllerStatus { return *typeConfig(ctx, "secrets").Status.StatusController }).
			Should(Equal(fedcorev1beta1.ControllerStatusRunning))

		finalizers := held(ctx, "FederatedSecret")
		change(ctx, config, func() { config.Spec.Propagation = fedcorev1beta1.PropagationDisabled })
		Eventually(stopped(ctx, "secrets")).Should(BeTrue())
		Expect(types.names()).NotTo(ContainElement("secrets"))
		Expect(finalizers(ctx)).To(ConsistOf("example.com/other"), "nothing will act on the finalizers of its objects")

		change(ctx, config, func() {
			config.Spec.Propagation, config.Spec.StatusCollection = fedcorev1beta1.PropagationEnabled, nil
		})
		Eventually(running(ctx, "secrets")).Should(BeTrue())
		Expect(types.names()).To(ContainElement("secrets"))
	})

	It("starts a type when its definition appears, and stops it when it goes", func(ctx context.Context) {
		types := newRecord()
		start(ctx, types)
		gadget := enablement.TypeConfigFor(metav1.APIResource{Group: "example.com", Version: "v1", Kind: "Gadget", Name: "gadgets", Namespaced: true}, enablement.Directive{})
		gadget.Namespace = namespace
		Expect(host.Create(ctx, gadget)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(client.IgnoreNotFound(host.Delete(ctx, gadget))).To(Succeed()) })
		Eventually(stopped(ctx, gadget.Name)).Should(BeTrue())
		Expect(types.names()).NotTo(ContainElement(gadget.Name))
		Eventually(warnings(ctx, gadget.Name)).Should(ContainElement(And(
			ContainSubstring("federatedgadgets.types.kubefed.io does not exist"), ContainSubstring("fedctl enable gadgets.example.com"))))

		federated, err := typeconfig.FromFederatedTypeConfig(gadget)
		Expect(err).NotTo(HaveOccurred())
		crd := definition.Generate(definition.Input{Type: federated})
		Expect(host.Create(ctx, crd)).To(Succeed())
		Eventually(running(ctx, gadget.Name)).Should(BeTrue())
		Expect(types.names()).To(ContainElement(gadget.Name))

		Expect(host.Delete(ctx, crd)).To(Succeed())
		Eventually(stopped(ctx, gadget.Name)).Should(BeTrue())
		Expect(types.names()).NotTo(ContainElement(gadget.Name))
	})

	It("runs types in namespaces without the type namespaces for their deletions", func(ctx context.Context) {
		types := newRecord()
		start(ctx, types)
		Eventually(types.names).Should(Equal(defaultTypes))
		namespaces := typeConfig(ctx, "namespaces")
		ofNamespace, ofConfigMap := held(ctx, "FederatedNamespace"), held(ctx, "FederatedConfigMap")
		Expect(host.Delete(ctx, namespaces)).To(Succeed())
		Eventually(types.names).ShouldNot(ContainElement("namespaces"))
		Eventually(func() typeconfig.Resource { return types.get("configmaps").FederatedNamespace }).Should(BeZero())
		Eventually(func() *fedcorev1beta1.FederatedTypeConfig { return typeConfig(ctx, "namespaces") }).Should(BeNil())
		Expect(ofNamespace(ctx)).To(ConsistOf("example.com/other"))
		Expect(ofConfigMap(ctx)).To(ContainElement(federate.Finalizer), "it goes on when namespaces are back")
		Eventually(running(ctx, "configmaps")).Should(BeTrue())

		namespaces.ResourceVersion, namespaces.UID, namespaces.Finalizers = "", "", nil
		namespaces.Status = fedcorev1beta1.FederatedTypeConfigStatus{}
		Expect(host.Create(ctx, namespaces)).To(Succeed())
		Eventually(types.names).Should(Equal(defaultTypes))
		Eventually(func() typeconfig.Resource { return types.get("configmaps").FederatedNamespace }).Should(Equal(types.get("namespaces").Federated))
	})

	It("keeps types in namespaces running while namespaces are only not propagated", func(ctx context.Context) {
		types := newRecord()
		start(ctx, types)
		Eventually(types.names).Should(Equal(defaultTypes))
		namespaces := typeConfig(ctx, "namespaces")
		change(ctx, namespaces, func() { namespaces.Spec.Propagation = fedcorev1beta1.PropagationDisabled })
		DeferCleanup(func(ctx context.Context) {
			change(ctx, namespaces, func() { namespaces.Spec.Propagation = fedcorev1beta1.PropagationEnabled })
		})
		Eventually(stopped(ctx, "namespaces")).Should(BeTrue())
		Consistently(types.names).Should(HaveLen(len(defaultTypes) - 1))
	})

	It("removes finalizers of a type that an earlier process has run", func(ctx context.Context) {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedService",
			"metadata": map[string]any{"name": "left", "namespace": "default", "finalizers": []any{federate.Finalizer, "example.com/other"}},
			"spec":     map[string]any{},
		}}
		Expect(host.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			change(ctx, object, func() { object.SetFinalizers(nil) })
			Expect(host.Delete(ctx, object)).To(Succeed())
		})
		services := typeConfig(ctx, "services") // its status says Running, from the specs above
		change(ctx, services, func() { services.Spec.Propagation = fedcorev1beta1.PropagationDisabled })
		DeferCleanup(func(ctx context.Context) {
			change(ctx, services, func() { services.Spec.Propagation = fedcorev1beta1.PropagationEnabled })
		})
		start(ctx, newRecord())
		Eventually(stopped(ctx, "services")).Should(BeTrue())
		Expect(host.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		Expect(object.GetFinalizers()).To(ConsistOf("example.com/other"))
	})
})

func change(ctx context.Context, obj client.Object, mutate func()) {
	GinkgoHelper()
	Expect(host.Get(ctx, client.ObjectKeyFromObject(obj), obj)).To(Succeed())
	before := obj.DeepCopyObject().(client.Object)
	mutate()
	Expect(host.Patch(ctx, obj, client.MergeFrom(before))).To(Succeed())
}

// warnings returns the messages of warning events about a FederatedTypeConfig.
func warnings(ctx context.Context, name string) func() []string {
	return func() []string {
		var list corev1.EventList
		if err := host.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return nil
		}
		var out []string
		for _, event := range list.Items {
			if event.Type == corev1.EventTypeWarning && event.InvolvedObject.Name == name {
				out = append(out, event.Message)
			}
		}
		return out
	}
}
