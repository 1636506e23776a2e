package deletion

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

const managed = "kubefed.io/managed"

// world is all that one order of deletions works on: a type of its own, a
// namespace, and federated objects of that type and of a default one in it.
type world struct {
	name                            string // of the namespace; the type is named after it
	namespace, config               *unstructured.Unstructured
	target, definition              *unstructured.Unstructured // CustomResourceDefinitions
	federatedNamespace, own, common *unstructured.Unstructured
}

const definitions = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %[1]ss.example.com
spec:
  group: example.com
  scope: Namespaced
  names: {plural: %[1]ss, singular: %[1]s, kind: K%[1]s}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: federated%[1]ss.types.kubefed.io
spec:
  group: types.kubefed.io
  scope: Namespaced
  names: {plural: federated%[1]ss, singular: federated%[1]s, kind: FederatedK%[1]s}
  versions:
  - name: v1beta1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata: {name: %[1]ss.example.com, namespace: kube-federation-system}
spec:
  propagation: Enabled
  targetType: {group: example.com, version: v1, kind: K%[1]s, pluralName: %[1]ss, scope: Namespaced}
  federatedType: {group: types.kubefed.io, version: v1beta1, kind: FederatedK%[1]s, pluralName: federated%[1]ss, scope: Namespaced}
---
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata: {name: %[1]s, namespace: %[1]s}
spec: {placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: one, namespace: %[1]s}
spec: {template: {data: {a: "1"}}, placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedK%[1]s
metadata: {name: two, namespace: %[1]s}
spec: {template: {spec: {a: 1}}, placement: {clusterSelector: {}}}
`

// newWorld creates a world; settle waits until it has been propagated.
func newWorld(ctx context.Context) (*world, error) {
	w := &world{name: "w" + rand.String(6)}
	objects, err := framework.ParseYAML(fmt.Sprintf(definitions, w.name))
	if err != nil {
		return nil, err
	}
	w.target, w.definition, w.config, w.namespace = objects[0], objects[1], objects[2], objects[3]
	w.federatedNamespace, w.common, w.own = objects[4], objects[5], objects[6]
	for _, c := range clusters() {
		if err := c.Create(ctx, w.target.DeepCopy()); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	for _, object := range objects[1:6] {
		if err := host.Create(ctx, object.DeepCopy()); err != nil {
			return nil, fmt.Errorf("%s: %w", object.GetKind(), err)
		}
	}
	return w, nil
}

// settle creates the object whose definition has to be served first, and waits
// until everything is in all members.
func (w *world) settle(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func() error { return host.Create(ctx, w.own.DeepCopy()) }).Should(Succeed())
	for _, object := range w.federated() {
		expectEverywhere(ctx, object)
	}
}

// expectEverywhere waits until a federated object is in all clusters that have joined.
func expectEverywhere(ctx context.Context, object *unstructured.Unstructured) {
	GinkgoHelper()
	joined := &unstructured.UnstructuredList{}
	joined.SetGroupVersionKind(framework.KubeFedCluster)
	Expect(host.List(ctx, joined, client.InNamespace(framework.KubeFedNamespace))).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		u, err := read(ctx, host, object)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(u.GetFinalizers()).NotTo(BeEmpty())
		summary, _, _ := unstructured.NestedString(u.Object, "status", "summary")
		g.Expect(summary).To(Equal(fmt.Sprintf("%[1]d/%[1]d", len(joined.Items))), "%s", u.Object["status"])
	}).Should(Succeed(), "%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
}

// federated are the federated objects.
func (w *world) federated() []*unstructured.Unstructured {
	return []*unstructured.Unstructured{w.federatedNamespace, w.common, w.own}
}

// all is everything in the host that has to go in the end.
func (w *world) all() []*unstructured.Unstructured {
	return append(w.federated(), w.config, w.definition, w.namespace)
}

func clusters() []*framework.Cluster { return append([]*framework.Cluster{host}, members...) }

func read(ctx context.Context, c *framework.Cluster, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(object.GroupVersionKind())
	return u, c.Get(ctx, client.ObjectKeyFromObject(object), u)
}

// clusterStatus is what a federated object's status says of a cluster: word and message.
func clusterStatus(u *unstructured.Unstructured, cluster string) []string {
	clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
	for _, item := range clusters {
		if c, ok := item.(map[string]any); ok && c["name"] == cluster {
			status, _ := c["status"].(string)
			message, _ := c["message"].(string)
			return []string{status, message}
		}
	}
	return nil
}

func asText(value any) string { return fmt.Sprint(value) }

// isGone says whether an object, or its whole type, is not there.
func isGone(err error) bool {
	var discovery *meta.NoKindMatchError
	return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || errors.As(err, &discovery)
}

// drop deletes objects of a cluster that may be gone already.
func drop(ctx context.Context, c *framework.Cluster, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := c.Delete(ctx, object.DeepCopy()); err != nil && !isGone(err) {
			return fmt.Errorf("%s: deleting %s %s: %w", c.Name, object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// expectGone waits until nothing of the worlds is left in the host.
func expectGone(ctx context.Context, worlds []*world) {
	GinkgoHelper()
	expectEnd(ctx, worlds, func(*unstructured.Unstructured) bool { return true })
}

// expectEnded waits until everything of the worlds that is being deleted is gone,
// while the rest stays.
func expectEnded(ctx context.Context, worlds []*world) {
	GinkgoHelper()
	expectEnd(ctx, worlds, func(u *unstructured.Unstructured) bool { return u.GetDeletionTimestamp() != nil })
}

// namespacesEnd is for the host's own namespace controller, which looks into every resource
// of each namespace, with 20 requests a second, and has dozens of namespaces to end at once.
const namespacesEnd = 3 * time.Minute

func expectEnd(ctx context.Context, worlds []*world, of func(*unstructured.Unstructured) bool) {
	GinkgoHelper()
	for _, w := range worlds {
		for _, object := range w.all() {
			Eventually(ctx, func(g Gomega) {
				u, err := read(ctx, host, object)
				if isGone(err) || err == nil && !of(u) || apiServerWaits(u) {
					return
				}
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(u.GetDeletionTimestamp()).To(BeNil(), "%s %s %s is still there: finalizers %v, status %v",
					object.GetKind(), w.name, object.GetName(), u.GetFinalizers(), u.Object["status"])
				g.Expect(of(u)).To(BeFalse(), "%s %s is still there", object.GetKind(), w.name)
			}).WithTimeout(namespacesEnd).Should(Succeed())
		}
	}
}

// apiServerWaits says whether a definition waits for nothing but the API server,
// which tries again only after minutes when a definition is deleted that was hardly served.
func apiServerWaits(u *unstructured.Unstructured) bool {
	return u.GetKind() == "CustomResourceDefinition" && strings.Contains(fmt.Sprint(u.Object["status"]), "storage is (re)initializing")
}

// expectUnmanaged waits until no ConfigMap of the worlds is called ours in a
// member: each has been deleted, or lost the label.
func expectUnmanaged(ctx context.Context, worlds []*world, where ...*framework.Cluster) {
	GinkgoHelper()
	mine := map[string]bool{}
	for _, w := range worlds {
		mine[w.name] = true
	}
	for _, c := range where {
		Eventually(ctx, func(g Gomega) {
			maps := &unstructured.UnstructuredList{}
			maps.SetAPIVersion("v1")
			maps.SetKind("ConfigMapList")
			g.Expect(c.List(ctx, maps, client.MatchingLabels{managed: "true"})).To(Succeed())
			for _, m := range maps.Items {
				g.Expect(mine[m.GetNamespace()]).To(BeFalse(), "%s: ConfigMap %s/%s is still managed", c.Name, m.GetNamespace(), m.GetName())
			}
		}).Should(Succeed())
	}
}
