package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// expectNoWrites says that what is done makes the control plane write nothing to
// a resource of a member.
func expectNoWrites(ctx context.Context, c *framework.Cluster, resource string, by func()) {
	GinkgoHelper()
	quiet(ctx) // what earlier specs leave is removed by writes
	before := writes(ctx, c, resource)
	by()
	Consistently(ctx, func() framework.Requests { return writes(ctx, c, resource).Since(before) }).Should(BeEmpty(), "writes in cluster %s", c.Name)
}

var _ = Describe("What belongs to the member", func() {
	It("are the replicas, with retainReplicas", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := federate("Deployment", ns, "scaled", workload(fields{"replicas": 1})).on(c)
		f.spec()["retainReplicas"] = true
		create(ctx, f)
		expectSettled(ctx, f, c)

		By("scaling in the member as an autoscaler does")
		expectNoWrites(ctx, c, "deployments.apps", func() { scale(ctx, c, f, 4) })

		By("changing the template")
		change(ctx, f, func(f *federated) {
			set(f.template(), "/spec/replicas", 2)
			set(f.template(), "/spec/minReadySeconds", 1)
		})
		expectField(ctx, c, f.target, "/spec/minReadySeconds", 1)
		expectField(ctx, c, f.target, "/spec/replicas", 4)

		By("giving the replicas back to the template")
		change(ctx, f, func(f *federated) { f.spec()["retainReplicas"] = false })
		expectField(ctx, c, f.target, "/spec/replicas", 2)
		expectSettled(ctx, f, c)

		By("taking them away from it again")
		change(ctx, f, func(f *federated) { f.spec()["retainReplicas"] = true })
		expectSettled(ctx, f, c)
		expectField(ctx, c, f.target, "/spec/replicas", 2)
		scale(ctx, c, f, 5)
		expectNoWrites(ctx, c, "deployments.apps", func() {})
		expectField(ctx, c, f.target, "/spec/replicas", 5)
	})

	It("are labels and annotations that others add", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := create(ctx, configMap(ns, "marked", fields{"a": "1"}).on(c))
		expectSettled(ctx, f, c)
		expectNoWrites(ctx, c, "configmaps", func() {
			tamper(ctx, c, f.target, func(u *unstructured.Unstructured) {
				u.SetAnnotations(map[string]string{"other.example.com/note": "x"})
				labels := u.GetLabels()
				labels["other.example.com/label"] = "x"
				u.SetLabels(labels)
			})
		})
		By("keeping them through an update")
		change(ctx, f, func(f *federated) { set(f.template(), "/data/a", "2") })
		expectField(ctx, c, f.target, "/data/a", "2")
		expectField(ctx, c, f.target, "/metadata/annotations/other.example.com~1note", "x")
	})

	It("are the status and the annotations of a rollout", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := federate("Deployment", ns, "rolls", workload(fields{"replicas": 2})).on(c)
		quiet(ctx) // what earlier specs leave is removed by writes
		before := writes(ctx, c, "deployments.apps")
		create(ctx, f)
		expectField(ctx, c, f.target, "/status/readyReplicas", 2)
		change(ctx, f, func(f *federated) {
			set(f.template(), "/spec/template/spec/containers/0/image", "registry.k8s.io/pause:3.9")
		})
		expectField(ctx, c, f.target, "/metadata/annotations/deployment.kubernetes.io~1revision", "2")
		expectField(ctx, c, f.target, "/status/updatedReplicas", 2)
		expectField(ctx, c, f.target, "/status/readyReplicas", 2)
		expectSettled(ctx, f, c)
		expectNoWrites(ctx, c, "deployments.apps", func() {})
		Expect(writes(ctx, c, "deployments.apps").Since(before).Sum(nil)).To(BeNumerically("<=", 2), "one write for the creation, one for the update")
	})

	It("is not taken for drift when a Service gets its addresses", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := create(ctx, federate("Service", ns, "addressed", fields{"spec": fields{"type": "NodePort", "ports": list{fields{"port": 80}}}}).on(c))
		expectSettled(ctx, f, c)
		before := found(ctx, c, f.target)
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/sessionAffinity", "ClientIP") })
		expectField(ctx, c, f.target, "/spec/sessionAffinity", "ClientIP")
		after := found(ctx, c, f.target)
		Expect(at(after.Object, "/spec/clusterIP")).To(Equal(at(before.Object, "/spec/clusterIP")))
		Expect(at(after.Object, "/spec/ports/0/nodePort")).To(Equal(at(before.Object, "/spec/ports/0/nodePort")))
	})
})

var _ = Describe("Drift", func() {
	It("in the key of a list's item is repaired", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := create(ctx, federate("Service", ns, "ports", fields{"spec": fields{"ports": list{fields{"name": "http", "port": 80}}}}).on(c))
		expectSettled(ctx, f, c)
		tamper(ctx, c, f.target, func(u *unstructured.Unstructured) { set(u.Object, "/spec/ports/0/port", 81) })
		expectField(ctx, c, f.target, "/spec/ports/0/port", 80)
		expectField(ctx, c, f.target, "/spec/ports/1", nil)
		expectSettled(ctx, f, c)
	})

	It("in a field that was removed is repaired", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := create(ctx, configMap(ns, "removed", fields{"a": "1", "b": "2"}).on(c))
		expectSettled(ctx, f, c)
		tamper(ctx, c, f.target, func(u *unstructured.Unstructured) { set(u.Object, "/data/b", nil) })
		expectField(ctx, c, f.target, "/data/b", "2")
	})

	It("of the managed label is repaired", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		c := members[0]
		f := create(ctx, configMap(ns, "unlabelled", fields{"a": "1"}).on(c))
		expectSettled(ctx, f, c)
		tamper(ctx, c, f.target, func(u *unstructured.Unstructured) { u.SetLabels(nil) })
		expectField(ctx, c, f.target, "/metadata/labels", fields{managed: "true"})
		expectSettled(ctx, f, c)
	})
})

// scale sets the replicas through the subresource, as an autoscaler does.
func scale(ctx context.Context, c *framework.Cluster, f *federated, replicas int) {
	GinkgoHelper()
	deployment := found(ctx, c, f.target)
	subresource := &unstructured.Unstructured{Object: plain(fields{
		"apiVersion": "autoscaling/v1", "kind": "Scale",
		"metadata": fields{"name": deployment.GetName(), "namespace": deployment.GetNamespace()},
		"spec":     fields{"replicas": replicas},
	})}
	Expect(c.SubResource("scale").Update(ctx, deployment, client.WithSubResourceBody(subresource))).To(Succeed())
	expectField(ctx, c, f.target, "/spec/replicas", replicas)
}
