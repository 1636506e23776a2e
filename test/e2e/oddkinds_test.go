package e2e

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// anyFields is a definition, of a target or of its federated type, that takes what it is given.
const anyFields = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]s.%[3]s}
spec:
  group: %[3]s
  scope: Namespaced
  names: {plural: %[1]s, kind: %[2]s}
  versions:
  - name: %[4]s
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    subresources: {status: {}}
`

const handwrittenTypeConfig = `
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  propagation: Enabled
  targetType: {group: %[4]s, version: v1, kind: %[3]s, pluralName: %[5]s, scope: Namespaced}
  federatedType: {group: types.kubefed.io, version: v1beta1, kind: Federated%[3]s, pluralName: federated%[5]s, scope: Namespaced}
`

// manifest creates an object in a cluster for the time of a spec.
func manifest(ctx SpecContext, c *framework.Cluster, format string, args ...any) *unstructured.Unstructured {
	GinkgoHelper()
	objects, err := framework.ParseYAML(fmt.Sprintf(format, args...))
	Expect(err).NotTo(HaveOccurred())
	Expect(c.Create(ctx, objects[0])).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(c.Delete(ctx, objects[0]))).To(Succeed()) })
	return objects[0]
}

// knows waits until a cluster serves a kind.
func knows(ctx SpecContext, c *framework.Cluster, kind schema.GroupVersionKind) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		_, err := c.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
		return err
	}).Should(Succeed())
}

// handwritten makes a type whose definitions, KubeFed's way, take anything, and lets
// it be propagated.
func handwritten(ctx SpecContext, kind schema.GroupVersionKind) (config, definition *unstructured.Unstructured) {
	GinkgoHelper()
	plural := strings.ToLower(kind.Kind) + "s"
	name := plural + "." + kind.Group
	for _, c := range members {
		manifest(ctx, c, anyFields, plural, kind.Kind, kind.Group, kind.Version)
		knows(ctx, c, kind)
	}
	definition = manifest(ctx, host, anyFields, "federated"+plural, "Federated"+kind.Kind, "types.kubefed.io", "v1beta1")
	config = manifest(ctx, host, handwrittenTypeConfig, name, framework.KubeFedNamespace, kind.Kind, kind.Group, plural)
	for _, c := range members {
		Expect(system.Join(ctx, c.Name)).To(Succeed()) // renews the rights
	}
	expectField(ctx, host, typeConfig(name), "/status/propagationController", "Running")
	return config, definition
}

var _ = Describe("Types written by hand", Serial, func() {
	DescribeTable("propagate whatever they are called, and go away", func(ctx SpecContext, kindFormat, group string) {
		kind := schema.GroupVersionKind{Group: group, Version: "v1", Kind: fmt.Sprintf(kindFormat, rand.String(5))}
		ns := federatedNamespace(ctx)
		config, definition := handwritten(ctx, kind)
		name := config.GetName()

		By("propagating")
		f := federateKind(kind, ns, "odd", fields{"spec": fields{"size": 1}}).on(members[0], members[1])
		f.override(members[1].Name, patch("", "/spec/size", 2))
		knows(ctx, host, f.GroupVersionKind())
		create(ctx, f)
		expectField(ctx, members[0], f.target, "/spec/size", 1)
		expectField(ctx, members[1], f.target, "/spec/size", 2)
		expectSettled(ctx, f, members[0], members[1])
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/size", 3) })
		expectField(ctx, members[0], f.target, "/spec/size", 3)

		By("deleting an object")
		gone := create(ctx, federateKind(kind, ns, "gone", fields{"spec": fields{"size": 1}}).on(members[2]))
		expectSettled(ctx, gone, members[2])
		remove(ctx, gone)
		expectMissing(ctx, members[2], gone.target)

		By("deleting the type while an object is there")
		Expect(host.Delete(ctx, config)).To(Succeed())
		expectGone(ctx, host, typeConfig(name))
		expectField(ctx, host, f.ref(), "/metadata/finalizers", nil)
		expectField(ctx, members[0], f.target, "/spec/size", 3)

		By("deleting its definition")
		Expect(host.Delete(ctx, definition)).To(Succeed())
		expectGone(ctx, host, ref{GroupVersionKind: definition.GroupVersionKind(), Name: definition.GetName()})
	},
		Entry("a hyphen in the kind", "Odd-Kind-%s", "example.com"),
		Entry("a target in the group of the federated types", "TestFedTarget-%s", "types.kubefed.io"),
	)

	It("report what their schema does not refuse, and leave alone what is there", func(ctx SpecContext) {
		kind := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Loose" + rand.String(5)}
		ns := federatedNamespace(ctx)
		handwritten(ctx, kind)
		first, second := members[0], members[1]
		f := federateKind(kind, ns, "loose", fields{"spec": fields{"replicas": 1}}).on(first, second)
		knows(ctx, host, f.GroupVersionKind())
		create(ctx, f)
		expectSettled(ctx, f, first, second)
		both := func(word string) map[string]string { return map[string]string{first.Name: word, second.Name: word} }

		for _, bad := range []struct {
			field, word string
			value       any
		}{
			{"template", "ComputeResourceFailed", fields{"apiVersion": "apps/v1"}},
			{"template", "ComputeResourceFailed", "text"},
			{"retainReplicas", "FieldRetentionFailed", "perhaps"},
			{"overrides", "ApplyOverridesFailed", "text"},
		} {
			good := f.spec()[bad.field]
			change(ctx, f, func(f *federated) {
				set(f.Object, "/spec/"+bad.field, bad.value)
			})
			o := expectStatus(ctx, f, "CheckClusters", both(bad.word))
			Expect(o.Messages[first.Name]).To(ContainSubstring("spec." + bad.field))
			expectEvent(ctx, f, bad.word, first.Name, "spec."+bad.field)
			change(ctx, f, func(f *federated) { set(f.Object, "/spec/"+bad.field, good) })
			expectSettled(ctx, f, first, second)
		}
		for _, placement := range []any{"text", fields{"clusters": "text"}, fields{"clusterSelector": list{}}} {
			change(ctx, f, func(f *federated) { set(f.Object, "/spec/placement", placement) })
			Eventually(ctx, func(g Gomega) {
				u := found(ctx, host, f.ref())
				g.Expect(at(u.Object, "/status/observedGeneration")).To(Equal(u.GetGeneration()))
				g.Expect(outcomeOf(u).Reason).To(Equal("ComputePlacementFailed"))
			}).Should(Succeed())
			expectField(ctx, first, f.target, "/spec/replicas", 1)
			expectField(ctx, second, f.target, "/spec/replicas", 1)
		}
	})
})

var _ = Describe("An aggregated ClusterRole", localOnly, func() {
	It("has the rules that each member makes of it, and nobody fights for them", func(ctx SpecContext) {
		label := "e2e-" + rand.String(5)
		role := fields{"aggregationRule": fields{"clusterRoleSelectors": list{fields{"matchLabels": fields{label: "yes"}}}}, "rules": list{}}
		rules := list{fields{"apiGroups": list{""}, "resources": list{"pods"}, "verbs": list{"get"}}}
		whole := create(ctx, federate("ClusterRole", "", label, role).on(members[0]))
		part := create(ctx, federate("ClusterRole", "", label+"-part", fields{"metadata": fields{"labels": fields{label: "yes"}}, "rules": rules}).on(members[0]))
		DeferCleanup(func(ctx SpecContext) { remove(ctx, whole); remove(ctx, part) })
		expectField(ctx, members[0], whole.target, "/rules", rules)
		expectSettled(ctx, whole, members[0])

		By("changing it")
		change(ctx, whole, func(f *federated) { set(f.template(), "/metadata", fields{"labels": fields{"x": "y"}}) })
		expectField(ctx, members[0], whole.target, "/metadata/labels/x", "y")
		expectSettled(ctx, whole, members[0])
		Expect(at(found(ctx, members[0], whole.target).Object, "/rules")).To(Equal(rules))
	}, NodeTimeout(5*time.Minute))
})
