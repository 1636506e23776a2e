package e2e

import (
	"context"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// plainNamespace makes a namespace in the host that is not federated. When the
// spec has ended it is deleted, after the federated objects in it: a namespace's
// controller waits long for finalizers. Nobody waits for namespaces, which take
// five seconds to go, but for the objects in them, whose deletion another spec could
// take for its own requests.
func plainNamespace(ctx context.Context) string {
	GinkgoHelper()
	name := "e2e-" + rand.String(6)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(host.Create(ctx, ns)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		for _, kind := range slices.Sorted(maps.Keys(usedKinds)) {
			if kind != "FederatedNamespace" {
				clear(ctx, kind, name)
			}
		}
		Expect(client.IgnoreNotFound(host.Delete(ctx, ns))).To(Succeed())
	}, NodeTimeout(3*time.Minute))
	return name
}

// usedKinds are the namespaced federated kinds that create has been used with.
var usedKinds = map[string]bool{}

// clear deletes the federated objects of a kind in a namespace and waits until they are gone.
func clear(ctx context.Context, kind, namespace string) {
	GinkgoHelper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("types.kubefed.io/v1beta1")
	u.SetKind(kind)
	// A type that a spec has made goes with the spec, maybe just now: a definition
	// that is being deleted still takes a deletion, and then no list.
	typeGone := func(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }
	if err := host.DeleteAllOf(ctx, u, client.InNamespace(namespace)); !typeGone(err) {
		Expect(err).NotTo(HaveOccurred())
	}
	left := &unstructured.UnstructuredList{}
	left.SetAPIVersion("types.kubefed.io/v1beta1")
	left.SetKind(kind + "List")
	Eventually(ctx, func(g Gomega) {
		err := host.List(ctx, left, client.InNamespace(namespace))
		if typeGone(err) {
			return
		}
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(left.Items).To(BeEmpty())
	}).Should(Succeed())
}

// federatedNamespace makes a namespace that is federated to all members.
func federatedNamespace(ctx context.Context) string {
	GinkgoHelper()
	name := plainNamespace(ctx)
	create(ctx, federate("Namespace", name, name, nil).on(members...))
	return name
}
