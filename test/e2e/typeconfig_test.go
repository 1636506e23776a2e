package e2e

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[1]ss.example.com
spec:
  group: example.com
  scope: Namespaced
  names: {plural: %[1]ss, singular: %[1]s, kind: %[2]s}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer}
              colour: {type: string}
`

// defineType makes a custom type of its own for a spec, in the host and the
// members, and returns its kind and the name of its configuration.
func defineType(ctx SpecContext) (kind schema.GroupVersionKind, name string) {
	GinkgoHelper()
	singular := "widget" + rand.String(5)
	kind = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget" + singular[6:]}
	for _, c := range append([]*framework.Cluster{host}, members...) {
		objects, err := framework.ParseYAML(fmt.Sprintf(widgets, singular, kind.Kind))
		Expect(err).NotTo(HaveOccurred())
		Expect(c.Create(ctx, objects[0])).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreNotFound(c.Delete(ctx, objects[0]))).To(Succeed())
		})
		Eventually(ctx, func() error {
			_, err := c.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
			return err
		}).Should(Succeed())
	}
	return kind, singular + "s.example.com"
}

// federateKind is federate for a type that is no default one.
func federateKind(gvk schema.GroupVersionKind, namespace, name string, template fields) *federated {
	f := federate(gvk.Kind, namespace, name, template)
	f.target.GroupVersionKind = gvk
	return f
}

var _ = Describe("Types at run time", Serial, func() {
	It("are enabled and disabled without a restart", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		kind, name := defineType(ctx)
		DeferCleanup(func(ctx SpecContext) { _, _ = system.Run(ctx, "disable", name, "--delete-crd") })

		By("enabling it and renewing the rights in the members")
		fedctl(ctx, "enable", name)
		expectField(ctx, host, typeConfig(name), "/status/propagationController", "Running")
		f := federateKind(kind, ns, "w", fields{"spec": fields{"size": 1, "colour": "red"}}).on(members[0], members[1])
		f.override(members[1].Name, patch("", "/spec/size", 2))
		create(ctx, f)
		for _, c := range members[:2] {
			expectWord(ctx, f, c, "CachedRetrievalFailed", "forbidden")
		}
		for _, c := range members {
			Expect(system.Join(ctx, c.Name)).To(Succeed())
		}
		expectField(ctx, members[0], f.target, "/spec/size", 1)
		expectField(ctx, members[1], f.target, "/spec/size", 2)
		expectSettled(ctx, f, members[0], members[1])

		By("disabling the propagation")
		configure(ctx, name, "propagation", "Disabled")
		expectField(ctx, host, typeConfig(name), "/status/propagationController", "NotRunning")
		before := found(ctx, members[0], f.target).GetResourceVersion()
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/size", 5) })
		Consistently(ctx, func() string { return found(ctx, members[0], f.target).GetResourceVersion() }).Should(Equal(before))

		By("enabling it again")
		configure(ctx, name, "propagation", "Enabled")
		expectField(ctx, members[0], f.target, "/spec/size", 5)
		expectSettled(ctx, f, members[0], members[1])

		By("deleting its configuration")
		fedctl(ctx, "disable", name)
		expectGone(ctx, host, typeConfig(name))
		expectField(ctx, host, f.ref(), "/metadata/finalizers", nil)
		expectField(ctx, members[0], f.target, "/spec/size", 5)
		Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
		expectGone(ctx, host, f.ref())
	})

	It("wait for their definitions", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		kind, name := defineType(ctx)
		DeferCleanup(func(ctx SpecContext) { _, _ = system.Run(ctx, "disable", name, "--delete-crd") })
		manifests, err := framework.ParseYAML(fedctl(ctx, "enable", name, "-o", "yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(manifests).To(HaveLen(2))

		By("creating the configuration before the definition of the federated type")
		for _, object := range manifests {
			if object.GetKind() == "FederatedTypeConfig" {
				object.SetNamespace(framework.KubeFedNamespace)
				Expect(host.Create(ctx, object)).To(Succeed())
			}
		}
		for _, object := range manifests {
			if object.GetKind() == "CustomResourceDefinition" {
				Expect(host.Create(ctx, object)).To(Succeed())
			}
		}
		for _, c := range members {
			Expect(system.Join(ctx, c.Name)).To(Succeed())
		}
		expectField(ctx, host, typeConfig(name), "/status/propagationController", "Running")
		f := create(ctx, federateKind(kind, ns, "w", fields{"spec": fields{"size": 1}}).on(members[0]))
		expectField(ctx, members[0], f.target, "/spec/size", 1)
		expectSettled(ctx, f, members[0])
		remove(ctx, f)
	})

	It("keep their definition while there are objects", func(ctx SpecContext) {
		kind, name := defineType(ctx)
		fedctl(ctx, "enable", name)
		for _, c := range members {
			Expect(system.Join(ctx, c.Name)).To(Succeed())
		}
		f := create(ctx, federateKind(kind, federatedNamespace(ctx), "w", fields{"spec": fields{"size": 1}}).on(members[0]))
		expectSettled(ctx, f, members[0])
		_, err := system.Run(ctx, "disable", name, "--delete-crd")
		Expect(err).To(MatchError(ContainSubstring(f.GetNamespace() + "/w")))
		expectField(ctx, host, typeConfig(name), "/status/propagationController", "Running")

		remove(ctx, f)
		fedctl(ctx, "disable", name, "--delete-crd")
		expectGone(ctx, host, typeConfig(name))
	})
})
