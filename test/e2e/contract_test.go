package e2e

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// contents lists all that a namespace of a cluster holds, as "Kind name", but for events.
func contents(ctx context.Context, c *framework.Cluster, namespace string) []string {
	GinkgoHelper()
	disco, err := discovery.NewDiscoveryClientForConfig(c.Config)
	Expect(err).NotTo(HaveOccurred())
	groups, err := disco.ServerPreferredNamespacedResources()
	Expect(err).NotTo(HaveOccurred())
	var all []string
	for _, group := range groups {
		gv, err := schema.ParseGroupVersion(group.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range group.APIResources {
			if !slices.Contains(resource.Verbs, "list") || resource.Kind == "Event" {
				continue
			}
			found := &metav1.PartialObjectMetadataList{}
			found.SetGroupVersionKind(gv.WithKind(resource.Kind + "List"))
			// A type of another spec may have gone meanwhile.
			if err := c.List(ctx, found, client.InNamespace(namespace)); client.IgnoreNotFound(err) != nil {
				Expect(err).NotTo(HaveOccurred(), resource.Name)
			}
			for _, item := range found.Items {
				all = append(all, resource.Kind+" "+item.Name)
			}
		}
	}
	slices.Sort(all)
	return all
}

var _ = Describe("What is the user's in the host", func() {
	It("stays so: no object of the control plane's is in a namespace, and no spec is written", Serial, func(ctx SpecContext) {
		ns := plainNamespace(ctx)
		namespace := create(ctx, federate("Namespace", ns, ns, nil).on(members...))
		made := []*federated{
			create(ctx, configMap(ns, "one", fields{"a": "1"}).on(members[0], members[1])),
			create(ctx, federate("Deployment", ns, "two", workload(fields{"replicas": 1})).on(members...)),
		}
		for _, f := range made {
			f.override(members[1].Name, patch("add", "/metadata/labels", fields{"a": "b"}))
		}
		tamperedWith := made[0]
		expectSettled(ctx, tamperedWith, members[0], members[1])
		tamper(ctx, members[0], tamperedWith.target, func(u *unstructured.Unstructured) { set(u.Object, "/data/a", "drifted") })
		expectField(ctx, members[0], tamperedWith.target, "/data/a", "1")
		expectSettled(ctx, tamperedWith, members[0], members[1])
		expectSettled(ctx, made[1], members...)
		expectSettled(ctx, namespace, members...)

		for _, f := range append(made, namespace) {
			u := found(ctx, host, f.ref())
			Expect(u.GetGeneration()).To(Equal(int64(1)), "%s %s", f.GetKind(), f.GetName())
			Expect(u.GetLabels()).To(BeEmpty())
			Expect(u.GetAnnotations()).To(BeEmpty())
		}
		Eventually(ctx, func() []string { return contents(ctx, host, ns) }).Should(Equal([]string{
			"ConfigMap kube-root-ca.crt", "FederatedConfigMap one", "FederatedDeployment two", "FederatedNamespace " + ns, "ServiceAccount default",
		}))
		By("nor in the members")
		Eventually(ctx, func() []string {
			return slices.DeleteFunc(contents(ctx, members[0], ns), func(name string) bool {
				return strings.HasPrefix(name, "Pod two-") || strings.HasPrefix(name, "ReplicaSet two-") || strings.HasPrefix(name, "PodMetrics ")
			})
		}).Should(Equal([]string{"ConfigMap kube-root-ca.crt", "ConfigMap one", "Deployment two", "ServiceAccount default"}))
	})
})
