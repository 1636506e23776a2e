package e2e

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

var _ = Describe("Overrides", func() {
	It("add, remove and replace, through lists and for the template's labels", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		first, second := members[0], members[1]
		f := federate("Deployment", ns, "patched", workload(fields{"replicas": 1, "minReadySeconds": 5})).on(first, second)
		f.override(second.Name,
			patch("add", "/spec/template/spec/tolerations", list{fields{"key": "gpu", "operator": "Exists"}}),
			patch("replace", "/spec/template/spec/containers/0/image", "registry.k8s.io/pause:3.9"),
			patch("add", "/spec/template/spec/containers/-", fields{"name": "second", "image": "registry.k8s.io/pause:3.10"}),
			// A negative index counts from the end, as KubeFed does.
			patch("", "/spec/template/spec/containers/-1/imagePullPolicy", "Never"),
			patch("remove", "/spec/minReadySeconds"),
			// A missing leaf of an existing parent: added, as KubeFed does.
			patch("", "/spec/revisionHistoryLimit", 3),
			// The label of the control plane survives.
			patch("add", "/metadata/labels", fields{"team": "e2e"}),
		)
		create(ctx, f)
		expectSettled(ctx, f, first, second)
		Expect(outcomeOf(found(ctx, host, f.ref())).Messages[second.Name]).To(ContainSubstring(
			"/spec/template/spec/containers/-1/imagePullPolicy is /spec/template/spec/containers/1/imagePullPolicy"))

		u := found(ctx, second, f.target)
		Expect(at(u.Object, "/spec/template/spec/tolerations/0/key")).To(Equal("gpu"))
		Expect(at(u.Object, "/spec/template/spec/containers/0/image")).To(Equal("registry.k8s.io/pause:3.9"))
		Expect(at(u.Object, "/spec/template/spec/containers/1/name")).To(Equal("second"))
		Expect(at(u.Object, "/spec/template/spec/containers/1/imagePullPolicy")).To(Equal("Never"))
		Expect(at(u.Object, "/spec/minReadySeconds")).To(BeNil())
		Expect(at(u.Object, "/spec/revisionHistoryLimit")).To(Equal(int64(3)))
		Expect(u.GetLabels()).To(Equal(map[string]string{managed: "true", "team": "e2e"}))
		Expect(at(found(ctx, first, f.target).Object, "/spec/template/spec/containers/1")).To(BeNil())

		By("dropping the overrides")
		change(ctx, f, func(f *federated) { delete(f.spec(), "overrides") })
		expectField(ctx, second, f.target, "/spec/template/spec/containers/1", nil)
		expectField(ctx, second, f.target, "/spec/template/spec/tolerations", nil)
		expectField(ctx, second, f.target, "/spec/minReadySeconds", 5)
		expectField(ctx, second, f.target, "/metadata/labels", fields{managed: "true"})
	})

	DescribeTable("that a cluster's template has no place for stop that cluster alone, until they are fixed",
		func(ctx SpecContext, bad fields, field string) {
			ns := federatedNamespace(ctx)
			first, second := members[0], members[1]
			f := federate("Deployment", ns, "misfit", workload(fields{"replicas": 1})).on(first, second).override(second.Name, bad)
			create(ctx, f)
			o := expectStatus(ctx, f, "CheckClusters", map[string]string{first.Name: "", second.Name: "ApplyOverridesFailed"})
			Expect(o.Messages[second.Name]).To(ContainSubstring(field))
			expectEvent(ctx, f, "ApplyOverridesFailed", second.Name, field)
			expectMissing(ctx, second, f.target)

			change(ctx, f, func(f *federated) { f.override(second.Name, patch("", "/spec/replicas", 2)) })
			expectField(ctx, second, f.target, "/spec/replicas", 2)
			expectSettled(ctx, f, first, second)
		},
		Entry("a parent that is missing", patch("replace", "/spec/strategy/rollingUpdate/maxSurge", 1), "/spec/strategy"),
		Entry("a field to remove that is missing", patch("remove", "/spec/paused"), "/spec/paused"),
		Entry("an index out of range", patch("replace", "/spec/template/spec/containers/7/image", "x"), "/spec/template/spec/containers"),
	)

	It("that break later leave alone what is there", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, configMap(ns, "later", fields{"a": "1"}).on(members[0], members[1]))
		expectSettled(ctx, f, members[0], members[1])
		change(ctx, f, func(f *federated) {
			set(f.template(), "/data/a", "2")
			f.override(members[1].Name, patch("remove", "/data/b"))
		})
		expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "", members[1].Name: "ApplyOverridesFailed"})
		expectField(ctx, members[0], f.target, "/data/a", "2")
		expectField(ctx, members[1], f.target, "/data/a", "1")
		remove(ctx, f)
		expectMissing(ctx, members[0], f.target)
		expectMissing(ctx, members[1], f.target)
	})

	DescribeTable("that no cluster could apply are refused when they are written",
		func(ctx SpecContext, bad fields, message string) {
			f := federate("Deployment", plainNamespace(ctx), "refused", workload(fields{"replicas": 1})).on(members[0])
			f.override(members[0].Name, bad)
			err := host.Create(ctx, f.Unstructured)
			Expect(err).To(MatchError(And(ContainSubstring(members[0].Name), ContainSubstring("spec.overrides[0].clusterOverrides[0]"), ContainSubstring(message))))
		},
		Entry("kind", patch("", "/kind", "X"), "/kind"),
		Entry("name", patch("", "/metadata/name", "x"), "/metadata/name"),
		Entry("namespace", patch("", "/metadata/namespace", "x"), "/metadata/namespace"),
		Entry("a parent of those", patch("", "/metadata", fields{}), "/metadata"),
		Entry("no JSON pointer", patch("", "spec/replicas", 1), "JSON pointer"),
		Entry("no value", patch("add", "/spec/replicas"), "value"),
	)
})

var _ = Describe("A template", func() {
	It("that one member refuses to create is tried again there, and the others go on", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		first, second := members[0], members[1]
		for _, c := range []*framework.Cluster{first, second} { // else that is what it fails for first
			Eventually(ctx, func() error { return c.Get(ctx, client.ObjectKey{Name: ns}, &corev1.Namespace{}) }).Should(Succeed())
		}
		f := configMap(ns, "refused", fields{"a": "1"}).on(first, second).override(second.Name, patch("add", "/data/not a key!", "x"))
		create(ctx, f)
		o := expectStatus(ctx, f, "CheckClusters", map[string]string{first.Name: "", second.Name: "CreationFailed"})
		Expect(o.Messages[second.Name]).To(ContainSubstring("not a key!"))
		expectEvent(ctx, f, "CreationFailed", second.Name, "not a key!")
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		expectField(ctx, first, f.target, "/data/a", "2")

		change(ctx, f, func(f *federated) { f.override(second.Name, patch("add", "/data/key", "x")) })
		expectField(ctx, second, f.target, "/data/key", "x")
		expectSettled(ctx, f, first, second)
	})

	It("that a member refuses to update is reported, and heals when it is mended", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, federate("Deployment", ns, "immutable", workload(fields{"replicas": 1})).on(members[0], members[1]))
		expectSettled(ctx, f, members[0], members[1])
		relabelPods := func(label string) func(f *federated) {
			return func(f *federated) {
				set(f.template(), "/spec/selector/matchLabels/app", label)
				set(f.template(), "/spec/template/metadata/labels/app", label)
			}
		}
		change(ctx, f, relabelPods("other"))
		o := expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "UpdateFailed", members[1].Name: "UpdateFailed"})
		Expect(o.Messages[members[0].Name]).To(And(ContainSubstring("spec.selector"), ContainSubstring("immutable")))
		expectEvent(ctx, f, "UpdateFailed", members[0].Name, "spec.selector")

		change(ctx, f, relabelPods("e2e"))
		expectSettled(ctx, f, members[0], members[1])
	})
})
