package kubefed

import (
	"context"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

type (
	fields = map[string]any
	list   = []any
)

// ref names an object.
type ref struct {
	schema.GroupVersionKind
	namespace, name string
}

func (r ref) String() string { return r.Kind + " " + r.namespace + "/" + r.name }

// named makes a ref from an apiVersion, a kind, a namespace and a name.
func named(apiVersion, kind, namespace, name string) ref {
	return ref{schema.FromAPIVersionAndKind(apiVersion, kind), namespace, name}
}

// federatedRef names a federated object.
func federatedRef(kind, namespace, name string) ref {
	return named("types.kubefed.io/v1beta1", kind, namespace, name)
}

func read(ctx context.Context, c *framework.Cluster, r ref) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(r.GroupVersionKind)
	return u, c.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: r.name}, u)
}

func found(ctx context.Context, c *framework.Cluster, r ref) *unstructured.Unstructured {
	GinkgoHelper()
	u, err := read(ctx, c, r)
	Expect(err).NotTo(HaveOccurred(), "%s in cluster %s", r, c.Name)
	return u
}

// createYAML creates the objects of a manifest.
func createYAML(ctx context.Context, c *framework.Cluster, manifest string) {
	GinkgoHelper()
	Expect(framework.CreateYAML(ctx, c, manifest)).To(Succeed())
}

// change reads an object, changes it and writes it, again on a conflict.
func change(ctx context.Context, c *framework.Cluster, r ref, by func(u *unstructured.Unstructured)) {
	GinkgoHelper()
	backoff := wait.Backoff{Steps: 100, Duration: 5 * time.Millisecond, Factor: 1.1, Cap: 100 * time.Millisecond}
	Expect(retry.RetryOnConflict(backoff, func() error {
		u, err := read(ctx, c, r)
		if err != nil {
			return err
		}
		by(u)
		return c.Update(ctx, u)
	})).To(Succeed(), "%s in cluster %s", r, c.Name)
}

// set sets what a JSON pointer points to; nil removes it. The parent must exist.
func set(u *unstructured.Unstructured, pointer string, to any) {
	GinkgoHelper()
	cut := strings.LastIndex(pointer, "/")
	parent, ok := at(u.Object, pointer[:cut]).(fields)
	Expect(ok).To(BeTrue(), "%s has no parent in %v", pointer, u.Object)
	key := unescape(pointer[cut+1:])
	if to == nil {
		delete(parent, key)
		return
	}
	parent[key] = to
}

// at returns what a JSON pointer points to; nil if there is nothing.
func at(value any, pointer string) any {
	if pointer == "" {
		return value
	}
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		switch v := value.(type) {
		case fields:
			value = v[unescape(step)]
		case list:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

func unescape(step string) string {
	return strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
}

// expectField waits until a field of an object has the value; nil: it is absent.
func expectField(ctx context.Context, c *framework.Cluster, r ref, pointer string, want any) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, c, r)
		g.Expect(err).NotTo(HaveOccurred())
		if want == nil {
			g.Expect(at(u.Object, pointer)).To(BeNil())
			return
		}
		g.Expect(at(u.Object, pointer)).To(BeEquivalentTo(want))
	}).Should(Succeed(), "%s of %s in cluster %s", pointer, r, c.Name)
}

// expectGone waits until an object is not there.
func expectGone(ctx context.Context, c *framework.Cluster, r ref) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		_, err := read(ctx, c, r)
		return err
	}).Should(MatchError(apierrors.IsNotFound, "is not found"), "%s in cluster %s", r, c.Name)
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
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(r.GroupVersionKind)
	u.SetNamespace(r.namespace)
	u.SetName(r.name)
	Expect(host.Delete(ctx, u, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
	expectGone(ctx, host, r)
}
