package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// plainNamespace makes a namespace in the host that is not federated. What is in
// it, federated objects too, goes when the spec has ended; nobody waits for that.
func plainNamespace(ctx context.Context) string {
	GinkgoHelper()
	name := "e2e-" + rand.String(6)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	Expect(host.Create(ctx, ns)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		// The federated objects first: a namespace's controller waits long for finalizers.
		for kind := range kinds {
			if kind == "ClusterRole" || kind == "Namespace" {
				continue
			}
			u := &unstructured.Unstructured{}
			u.SetAPIVersion("types.kubefed.io/v1beta1")
			u.SetKind("Federated" + kind)
			Expect(client.IgnoreNotFound(host.DeleteAllOf(ctx, u, client.InNamespace(name)))).To(Succeed())
		}
		Expect(client.IgnoreNotFound(host.Delete(ctx, ns))).To(Succeed())
	})
	return name
}

// federatedNamespace makes a namespace that is federated to all members.
func federatedNamespace(ctx context.Context) string {
	GinkgoHelper()
	name := plainNamespace(ctx)
	create(ctx, federate("Namespace", name, name, nil).on(members...))
	return name
}
