package typeconfig_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/rollups"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

var _ = Describe("enabling and disabling a type", Ordered, func() {
	const name = "widgets.example.com"

	BeforeAll(func(ctx context.Context) {
		Expect(host.Create(ctx, widgets())).To(Succeed())
	})

	It("enables and disables a custom type at run time", func(ctx context.Context) {
		types := newRecord()
		start(ctx, types)
		h := theHost()
		var prepared *enablement.Enablement
		Eventually(func() (err error) {
			prepared, err = h.Prepare(ctx, enablement.Directive{ObjectMeta: metav1.ObjectMeta{Name: "widget"}})
			return err
		}).Should(Succeed())
		size := prepared.CRD.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["template"].Properties["spec"].Properties["size"]
		Expect(size.Type).To(Equal("integer"), "the schema is the one that the API server publishes")

		By("a dry run, which does nothing")
		Expect(h.Enable(ctx, prepared, true)).To(Succeed())
		Expect(typeConfig(ctx, name)).To(BeNil())

		By("the real thing, twice")
		Expect(h.Enable(ctx, prepared, false)).To(Succeed())
		Expect(h.WaitRunning(ctx, name, 2*time.Minute)).To(Succeed())
		version := typeConfig(ctx, name).ResourceVersion
		Expect(h.Enable(ctx, prepared, false)).To(Succeed())
		Expect(typeConfig(ctx, name).ResourceVersion).To(Equal(version))

		By("an object, which keeps the type from being deleted")
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "types.kubefed.io/v1beta1", "kind": "FederatedWidget",
			"metadata": map[string]any{"name": "one", "namespace": "default"},
			"spec":     map[string]any{"template": map[string]any{"spec": map[string]any{"size": int64(1), "fromTheFuture": true}}},
		}}
		Expect(host.Create(ctx, object)).To(Succeed())
		Expect(object.Object["spec"]).To(HaveKeyWithValue("template", HaveKeyWithValue("spec", HaveKeyWithValue("fromTheFuture", true))))
		directive := enablement.Directive{ObjectMeta: metav1.ObjectMeta{Name: name}}
		options := enablement.DisableOptions{DeleteCRD: true, Wait: 2 * time.Minute}
		Expect(h.Disable(ctx, directive, options)).To(MatchError(ContainSubstring("is not deleted while federated objects exist (default/one)")))
		Expect(running(ctx, name)()).To(BeTrue(), "a refusal changes nothing")

		Expect(host.Delete(ctx, object)).To(Succeed())
		Expect(h.Disable(ctx, directive, options)).To(Succeed())
		Eventually(func() *fedcorev1beta1.FederatedTypeConfig { return typeConfig(ctx, name) }).Should(BeNil())
		Expect(types.names()).NotTo(ContainElement(name))
		Eventually(func() bool {
			return apierrors.IsNotFound(host.Get(ctx, client.ObjectKey{Name: "federatedwidgets.types.kubefed.io"}, &apiextensionsv1.CustomResourceDefinition{}))
		}).Should(BeTrue())

		By("disabling what is not enabled")
		Expect(h.Disable(ctx, directive, options)).To(Succeed())
	})

	It("keeps what was chosen for a type that is disabled, for when it is enabled again", func(ctx context.Context) {
		start(ctx, newRecord())
		h, notes, said := theHost(), &strings.Builder{}, &strings.Builder{}
		h.Notes, h.Out = notes, said
		directive := enablement.Directive{ObjectMeta: metav1.ObjectMeta{Name: name}}
		enable := func(directive enablement.Directive) *fedcorev1beta1.FederatedTypeConfig {
			GinkgoHelper()
			Eventually(func() *fedcorev1beta1.FederatedTypeConfig { return typeConfig(ctx, name) }).Should(BeNil(), "of the specs above")
			prepared, err := h.Prepare(ctx, directive)
			Expect(err).NotTo(HaveOccurred())
			Expect(h.Enable(ctx, prepared, false)).To(Succeed())
			Expect(h.WaitRunning(ctx, name, 2*time.Minute)).To(Succeed())
			return typeConfig(ctx, name)
		}
		disable := func(options enablement.DisableOptions) {
			GinkgoHelper()
			options.Wait = 2 * time.Minute
			said.Reset()
			Expect(h.Disable(ctx, directive, options)).To(Succeed())
		}
		collects := HaveField("Spec.StatusCollection", HaveValue(Equal(fedcorev1beta1.StatusCollectionEnabled)))
		exact := HaveField("Annotations", HaveKeyWithValue("fedctl.io/ownership", "Exact"))
		statusType := HaveField("Spec.StatusType", HaveValue(HaveField("Kind", "FederatedWidgetStatus")))

		By("choosing")
		config := enable(directive)
		Expect(config.Spec.StatusCollection).To(BeNil())
		before := config.Spec
		change(ctx, config, func() {
			config.Spec.StatusCollection = ptr.To(fedcorev1beta1.StatusCollectionEnabled)
			config.Spec.StatusType = &fedcorev1beta1.APIResource{Group: "types.kubefed.io", Version: "v1alpha1", Kind: "FederatedWidgetStatus", PluralName: "federatedwidgetstatuses", Scope: "Namespaced"}
			config.Annotations = map[string]string{"fedctl.io/ownership": "Exact", "example.com/mine": "1"}
		})
		disable(enablement.DisableOptions{DryRun: true})
		Expect(said.String()).To(ContainSubstring("statusCollection: Enabled"))
		directive.Name = "Widgets.Example.com"
		disable(enablement.DisableOptions{})
		directive.Name = name
		Expect(said.String()).To(SatisfyAll(
			ContainSubstring("statusCollection: Enabled"), ContainSubstring("fedctl.io/ownership: Exact"), ContainSubstring("statusType: FederatedWidgetStatus"),
			ContainSubstring("\n  fedctl enable widgets.example.com\n")))

		By("enabling it again, also twice, and for another control plane, of which nothing is known")
		config = enable(directive)
		Expect(config).To(SatisfyAll(collects, exact, statusType))
		Expect(notes.String()).To(ContainSubstring("statusCollection: Enabled"))
		elsewhere := theHost()
		elsewhere.Namespace = "default"
		prepared, err := elsewhere.Prepare(ctx, directive)
		Expect(err).NotTo(HaveOccurred())
		Expect(prepared.TypeConfig.Spec).To(Equal(before))
		prepared, err = h.Prepare(ctx, directive)
		Expect(err).NotTo(HaveOccurred())
		version := config.ResourceVersion
		Expect(h.Enable(ctx, prepared, false)).To(Succeed())
		Expect(typeConfig(ctx, name)).To(And(HaveField("ResourceVersion", version), collects, exact, statusType))

		By("choosing otherwise: what was kept once does not come back")
		change(ctx, config, func() { config.Spec.StatusCollection, config.Spec.StatusType, config.Annotations = nil, nil, nil })
		Expect(host.Delete(ctx, config)).To(Succeed())
		config = enable(directive)
		Expect(config.Spec).To(Equal(before))
		Expect(config).NotTo(exact)

		By("choosing as it is enabled, or later")
		prepared, err = h.Prepare(ctx, enablement.Directive{ObjectMeta: directive.ObjectMeta, Spec: enablement.DirectiveSpec{StatusCollection: ptr.To(fedcorev1beta1.StatusCollectionEnabled)}})
		Expect(err).NotTo(HaveOccurred())
		Expect(h.Enable(ctx, prepared, true)).To(Succeed())
		Expect(typeConfig(ctx, name).Spec.StatusCollection).To(BeNil())
		Expect(h.Enable(ctx, prepared, false)).To(Succeed())
		Expect(typeConfig(ctx, name)).To(collects)
		prepared, err = h.Prepare(ctx, directive)
		Expect(err).NotTo(HaveOccurred())
		Expect(h.Enable(ctx, prepared, false)).To(Succeed())
		Expect(typeConfig(ctx, name)).To(collects)

		By("disabling it with its definition, which another control plane uses as well")
		shared := config.DeepCopy()
		shared.ObjectMeta = metav1.ObjectMeta{Namespace: "default", Name: name}
		Expect(host.Create(ctx, shared)).To(Succeed())
		Expect(h.Disable(ctx, directive, enablement.DisableOptions{DeleteCRD: true})).To(MatchError(ContainSubstring("other control planes federate with it (in namespace default)")))
		Expect(running(ctx, name)()).To(BeTrue(), "a refusal changes nothing")
		Expect(host.Delete(ctx, shared)).To(Succeed())

		By("disabling it with its definition, at which nothing can be kept")
		disable(enablement.DisableOptions{DeleteCRD: true})
		Expect(typeConfig(ctx, name)).To(BeNil(), "the next may enable it otherwise")
		Expect(said.String()).To(SatisfyAll(ContainSubstring("statusCollection: Enabled"), ContainSubstring("fedctl enable widgets.example.com --collect-status\n")))
		Eventually(func() bool {
			return apierrors.IsNotFound(host.Get(ctx, client.ObjectKey{Name: "federatedwidgets.types.kubefed.io"}, &apiextensionsv1.CustomResourceDefinition{}))
		}).Should(BeTrue())
	})

	It("enables each default type as an installation does", func(ctx context.Context) {
		var installed fedcorev1beta1.FederatedTypeConfigList
		Expect(host.List(ctx, &installed, client.InNamespace(namespace))).To(Succeed())
		h := theHost()
		h.Namespace, h.Rollups = "default", rollups.Schemas()
		compared := 0
		for _, config := range installed.Items {
			if config.Name == name {
				continue
			}
			prepared, err := h.Prepare(ctx, enablement.Directive{ObjectMeta: metav1.ObjectMeta{Name: config.Name}})
			Expect(err).NotTo(HaveOccurred())
			Expect(prepared.TypeConfig.Spec).To(Equal(config.Spec), config.Name)
			compared++
		}
		Expect(compared).To(BeNumerically(">", 10))
	})

	It("gives the controller the rights to federated types of another group", func(ctx context.Context) {
		types := newRecord()
		start(ctx, types)
		h := theHost()
		directive := enablement.Directive{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: enablement.DirectiveSpec{FederatedGroup: "fed.example.com"}}
		prepared, err := h.Prepare(ctx, directive)
		Expect(err).NotTo(HaveOccurred())
		Expect(h.Enable(ctx, prepared, false)).To(Succeed())
		Expect(h.WaitRunning(ctx, name, 2*time.Minute)).To(Succeed())
		asController := clientFor(controllerConfig(ctx))
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(types.get(name).Federated.GVK.GroupVersion().WithKind("FederatedWidgetList"))
		Expect(asController.List(ctx, list)).To(Succeed())
		Expect(h.Disable(ctx, directive, enablement.DisableOptions{DeleteCRD: true, Wait: 2 * time.Minute})).To(Succeed())
	})

	It("says which rights the controller lacks, and runs the type when it has them", func(ctx context.Context) {
		types := newRecord()
		start(ctx, types)
		h := theHost()
		directive := enablement.Directive{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: enablement.DirectiveSpec{FederatedGroup: "other.example.com", FederatedVersion: "v1"}}
		prepared, err := h.Prepare(ctx, directive)
		Expect(err).NotTo(HaveOccurred())

		Eventually(func() *fedcorev1beta1.FederatedTypeConfig { return typeConfig(ctx, name) }).Should(BeNil(), "of the specs above")

		By("making the type as kubefedctl does, without granting anything")
		Expect(host.Create(ctx, prepared.CRD.DeepCopy())).To(Succeed())
		config := prepared.TypeConfig.DeepCopy()
		Expect(host.Create(ctx, config)).To(Succeed())
		Eventually(warnings(ctx, name)).Should(ContainElement(And(
			ContainSubstring("may not list federatedwidgets.other.example.com, watch federatedwidgets.other.example.com, patch federatedwidgets.other.example.com, patch federatedwidgets.other.example.com/status"),
			ContainSubstring("fedctl enable widgets.example.com --federated-group other.example.com --federated-version v1 grants it"))))
		Eventually(stopped(ctx, name)).Should(BeTrue())
		Expect(types.names()).NotTo(ContainElement(name))

		By("disabling and deleting it, which needs no rights")
		change(ctx, config, func() { config.Spec.Propagation = fedcorev1beta1.PropagationDisabled })
		Eventually(stopped(ctx, name)).Should(BeTrue())
		Expect(host.Delete(ctx, config)).To(Succeed())
		Eventually(func() *fedcorev1beta1.FederatedTypeConfig { return typeConfig(ctx, name) }).Should(BeNil())

		By("doing what the event says")
		Expect(host.Create(ctx, prepared.TypeConfig.DeepCopy())).To(Succeed())
		Eventually(stopped(ctx, name)).Should(BeTrue())
		Expect(h.Enable(ctx, prepared, false)).To(Succeed())
		Expect(h.WaitRunning(ctx, name, 2*time.Minute)).To(Succeed())
		Expect(types.names()).To(ContainElement(name))
		Expect(typeConfig(ctx, name).Finalizers).To(ConsistOf(typeconfig.Finalizer))

		By("taking the rights away: the finalizers of its objects are not given up")
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: kubefedconfig.Controller + ":other.example.com"}}
		Expect(host.Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
		Expect(host.Delete(ctx, binding.DeepCopy())).To(Succeed())
		Eventually(func(g Gomega) {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:" + namespace + ":" + kubefedconfig.Controller,
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "patch", Group: "other.example.com", Resource: "federatedwidgets", Namespace: "default"},
			}}
			g.Expect(host.Create(ctx, review)).To(Succeed())
			g.Expect(review.Status.Allowed).To(BeFalse())
		}).Should(Succeed())
		config = typeConfig(ctx, name)
		Expect(host.Delete(ctx, config)).To(Succeed())
		Eventually(warnings(ctx, name)).Should(ContainElement(And(
			ContainSubstring("the finalizers kubefed.io/sync-controller cannot be removed"), ContainSubstring("fedctl enable widgets.example.com --federated-group"))))
		Expect(typeConfig(ctx, name)).NotTo(BeNil())
		binding.ResourceVersion, binding.UID = "", ""
		Expect(host.Create(ctx, binding)).To(Succeed())
		Eventually(func() *fedcorev1beta1.FederatedTypeConfig { return typeConfig(ctx, name) }).Should(BeNil())
		Expect(host.Delete(ctx, prepared.CRD)).To(Succeed())
	})
})

func widgets() *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com",
			Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: "Widget", Plural: "widgets", Singular: "widget"},
			Scope: apiextensionsv1.NamespaceScoped,
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object",
					Properties: map[string]apiextensionsv1.JSONSchemaProps{"spec": {
						Type: "object", Required: []string{"size"},
						Properties: map[string]apiextensionsv1.JSONSchemaProps{"size": {Type: "integer", Minimum: ptr.To(3.0)}},
					}},
				}},
			}},
		},
	}
}
