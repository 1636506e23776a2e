package kit

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

type (
	// Fields are the fields of an object in a manifest.
	Fields = map[string]any
	// Values are the items of a list in a manifest.
	Values = []any
)

// Conflicts bounds the tries to write an object that others write as well.
var Conflicts = wait.Backoff{Steps: 200, Duration: time.Millisecond, Factor: 1.1, Jitter: 0.5, Cap: 50 * time.Millisecond}

// Ref names an object.
type Ref struct {
	schema.GroupVersionKind
	Namespace, Name string
}

// Named makes a Ref from an apiVersion, a kind, a namespace and a name.
func Named(apiVersion, kind, namespace, name string) Ref {
	return Ref{GroupVersionKind: schema.FromAPIVersionAndKind(apiVersion, kind), Namespace: namespace, Name: name}
}

func (r Ref) String() string { return r.Kind + " " + r.Namespace + "/" + r.Name }

// Empty is the object without content.
func (r Ref) Empty() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: Fields{}}
	u.SetGroupVersionKind(r.GroupVersionKind)
	u.SetNamespace(r.Namespace)
	u.SetName(r.Name)
	return u
}

// Read returns an object of a cluster.
func Read(ctx context.Context, c *framework.Cluster, r Ref) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(r.GroupVersionKind)
	return u, c.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: r.Name}, u)
}

// Found returns an object that must be there.
func Found(ctx context.Context, c *framework.Cluster, r Ref) *unstructured.Unstructured {
	ginkgo.GinkgoHelper()
	u, err := Read(ctx, c, r)
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "%s in cluster %s", r, c.Name)
	return u
}

// List returns the objects of a kind that a cluster has.
func List(ctx context.Context, c *framework.Cluster, of Ref, options ...client.ListOption) []unstructured.Unstructured {
	ginkgo.GinkgoHelper()
	found := &unstructured.UnstructuredList{}
	found.SetGroupVersionKind(of.GroupVersionKind)
	found.SetKind(of.Kind + "List")
	gomega.Expect(c.List(ctx, found, options...)).To(gomega.Succeed(), "%s in cluster %s", of.Kind, c.Name)
	return found.Items
}

// Objects are those of manifests.
func Objects(manifests string) []*unstructured.Unstructured {
	ginkgo.GinkgoHelper()
	objects, err := framework.ParseYAML(manifests)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return objects
}

// Create creates the objects of manifests in a cluster, in their order. It waits for kinds that
// are not served yet, as one whose definition has just been made is a moment later.
func Create(ctx context.Context, c *framework.Cluster, manifests string) {
	ginkgo.GinkgoHelper()
	for _, object := range Objects(manifests) {
		gomega.Eventually(ctx, func() error { return c.Create(ctx, object.DeepCopy()) }).
			Should(gomega.Succeed(), "%s %s in cluster %s", object.GetKind(), object.GetName(), c.Name)
	}
}

// Change reads an object, changes it and writes it, again on a conflict.
func Change(ctx context.Context, c *framework.Cluster, r Ref, by func(u *unstructured.Unstructured)) *unstructured.Unstructured {
	ginkgo.GinkgoHelper()
	var u *unstructured.Unstructured
	gomega.Expect(retry.RetryOnConflict(Conflicts, func() error {
		var err error
		if u, err = Read(ctx, c, r); err != nil {
			return err
		}
		by(u)
		return c.Update(ctx, u)
	})).To(gomega.Succeed(), "%s in cluster %s", r, c.Name)
	return u
}

// ExpectField waits until the field of an object has the value; nil: it is absent.
// pointer is a JSON pointer.
func ExpectField(ctx context.Context, c *framework.Cluster, r Ref, pointer string, want any) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(ctx, func(g gomega.Gomega) {
		u, err := Read(ctx, c, r)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		g.Expect(AsJSON(At(u.Object, pointer))).To(gomega.Equal(AsJSON(want)), "%s of %s in cluster %s", pointer, r, c.Name)
	}).Should(gomega.Succeed())
}

// ExpectPropagated waits until a federated object, of which all has been seen, says that of its
// clusters: the status of each, in any order, where nil is a cluster that is as it should be.
func ExpectPropagated(ctx context.Context, c *framework.Cluster, r Ref, statuses ...any) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(ctx, func(g gomega.Gomega) {
		u, err := Read(ctx, c, r)
		g.Expect(err).NotTo(gomega.HaveOccurred())
		clusters, _ := At(u.Object, "/status/clusters").(Values)
		var found []any
		for _, item := range clusters {
			found = append(found, At(item, "/status"))
		}
		g.Expect(found).To(gomega.ConsistOf(statuses...), "%s: %v", r, u.Object["status"])
		g.Expect(At(u.Object, "/status/observedGeneration")).To(gomega.Equal(u.GetGeneration()))
	}).Should(gomega.Succeed())
}

// ExpectGone waits until an object is not there.
func ExpectGone(ctx context.Context, c *framework.Cluster, r Ref) {
	ginkgo.GinkgoHelper()
	gomega.Eventually(ctx, func() error {
		_, err := Read(ctx, c, r)
		return err
	}).Should(gomega.MatchError(apierrors.IsNotFound, "is not found"), "%s in cluster %s", r, c.Name)
}

// At returns what a JSON pointer points to; nil if there is nothing.
func At(value any, pointer string) any {
	if pointer == "" {
		return value
	}
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		switch v := value.(type) {
		case Fields:
			value = v[unescape(step)]
		case Values:
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

// Set sets what a JSON pointer points to; nil removes it. The parent must exist.
func Set(value Fields, pointer string, to any) {
	ginkgo.GinkgoHelper()
	cut := strings.LastIndex(pointer, "/")
	parent, ok := At(value, pointer[:cut]).(Fields)
	gomega.Expect(ok).To(gomega.BeTrue(), "%s has no parent", pointer)
	if to == nil {
		delete(parent, unescape(pointer[cut+1:]))
		return
	}
	parent[unescape(pointer[cut+1:])] = Plain(to)
}

func unescape(step string) string {
	return strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
}

// Plain copies a piece of a manifest, with numbers as the API's JSON has them.
func Plain(value any) any {
	switch v := value.(type) {
	case int:
		return int64(v)
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
		return v
	case Fields:
		out := make(Fields, len(v))
		for key, item := range v {
			out[key] = Plain(item)
		}
		return out
	case Values:
		out := make(Values, 0, len(v))
		for _, item := range v {
			out = append(out, Plain(item))
		}
		return out
	}
	return runtime.DeepCopyJSONValue(value)
}

// AsJSON is a value as the API writes it, to be compared.
func AsJSON(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
