package kubefed

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

type (
	fields = map[string]any
	list   = []any
)

type ref = kit.Ref

// What other suites use as well, under the names of this one.
var (
	read        = kit.Read
	found       = kit.Found
	named       = kit.Named
	at          = kit.At
	expectField = kit.ExpectField
	expectGone  = kit.ExpectGone
)

// federatedRef names a federated object.
func federatedRef(kind, namespace, name string) ref {
	return named("types.kubefed.io/v1beta1", kind, namespace, name)
}

// createYAML creates the objects of a manifest.
func createYAML(ctx context.Context, c *framework.Cluster, manifest string) {
	GinkgoHelper()
	Expect(framework.CreateYAML(ctx, c, manifest)).To(Succeed())
}

// change reads an object, changes it and writes it, again on a conflict.
func change(ctx context.Context, c *framework.Cluster, r ref, by func(u *unstructured.Unstructured)) {
	GinkgoHelper()
	kit.Change(ctx, c, r, by)
}

// set sets what a JSON pointer points to; nil removes it. The parent must exist.
func set(u *unstructured.Unstructured, pointer string, to any) {
	GinkgoHelper()
	kit.Set(u.Object, pointer, to)
}

// expectPropagated waits until the status says that the present generation is
// in all of the clusters, and nothing else.
func expectPropagated(ctx context.Context, r ref, in ...*framework.Cluster) {
	GinkgoHelper()
	want := map[string]string{}
	for _, c := range in {
		want[c.Name] = ""
	}
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, r)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(at(u.Object, "/status/observedGeneration")).To(BeEquivalentTo(u.GetGeneration()), "status is %v", u.Object["status"])
		g.Expect(at(u.Object, "/status/conditions/0/status")).To(Equal("True"), "status is %v", u.Object["status"])
		words := map[string]string{}
		clusters, _ := at(u.Object, "/status/clusters").(list)
		for _, item := range clusters {
			word, _ := at(item, "/status").(string)
			words[at(item, "/name").(string)] = word //nolint:forcetypeassert // the schema says so
		}
		g.Expect(words).To(Equal(want), "status is %v", u.Object["status"])
	}).Should(Succeed(), "%s", r)
}

// remove deletes an object of the host and waits until it is gone.
func remove(ctx context.Context, r ref) {
	GinkgoHelper()
	Expect(host.Delete(ctx, r.Empty(), client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
	expectGone(ctx, host, r)
}
