package servicecatalog

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// namespaces are names of namespaces, which no two specs share.
var namespaces int

// example reads the objects of a file of the examples.
func example(file string) []*unstructured.Unstructured {
	GinkgoHelper()
	root, err := framework.Root()
	Expect(err).NotTo(HaveOccurred())
	content, err := os.ReadFile(filepath.Join(root, "examples", file))
	Expect(err).NotTo(HaveOccurred())
	objects, err := framework.ParseYAML(string(content))
	Expect(err).NotTo(HaveOccurred())
	return objects
}

// federateBroker federates the broker of the example, with each member's own way to it.
func federateBroker(ctx context.Context) {
	GinkgoHelper()
	object := example("service-catalog/broker.yaml")[0]
	var overrides kit.Values
	for name, b := range brokers {
		overrides = append(overrides, kit.Fields{"clusterName": name, "clusterOverrides": kit.Values{kit.Fields{"path": "/spec/url", "value": b.url}}})
	}
	kit.Set(object.Object, "/spec/overrides", overrides)
	Expect(host.Create(ctx, object)).To(Succeed())
	for _, c := range members {
		kit.ExpectField(ctx, c, kit.Named(apiVersion, "ClusterServiceBroker", "", object.GetName()), "/status/lastConditionState", "FetchedCatalog")
	}
}

// namespace makes a federated namespace of the spec, as the examples have it.
func namespace(ctx context.Context) string {
	GinkgoHelper()
	namespaces++
	name := fmt.Sprintf("served-%d", namespaces)
	for _, object := range example("00-namespace.yaml") {
		object.SetName(name)
		if object.GetNamespace() != "" {
			object.SetNamespace(name)
		} else {
			DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, object))).To(Succeed()) })
		}
		Expect(host.Create(ctx, object)).To(Succeed())
	}
	return name
}

// federated creates the objects of a file of the examples in a namespace.
func federated(ctx context.Context, file, ns string) (refs []kit.Ref) {
	GinkgoHelper()
	for _, object := range example(file) {
		object.SetNamespace(ns)
		Expect(host.Create(ctx, object)).To(Succeed())
		refs = append(refs, kit.Named(object.GetAPIVersion(), object.GetKind(), ns, object.GetName()))
	}
	return refs
}

// bound federates the instance and the binding of the example, and waits until the
// credentials are in each member.
func bound(ctx context.Context) (ns string, instance, binding kit.Ref) {
	GinkgoHelper()
	ns = namespace(ctx)
	refs := federated(ctx, "service-catalog/database.yaml", ns)
	for _, r := range refs {
		expectReady(ctx, r)
	}
	for _, c := range members {
		kit.ExpectField(ctx, c, credentials(ns), "/data/user", "ZGVtbw==")
	}
	return ns, refs[0], refs[1]
}

// expectReady waits until a federated object is propagated and works, in all members.
func expectReady(ctx context.Context, r kit.Ref) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		u, err := kit.Read(ctx, host, r)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(conditions(u)).To(And(HaveKeyWithValue("Propagation", "True"), HaveKeyWithValue("Ready", "True")), "%s: %v", r, kit.At(u.Object, "/status"))
		g.Expect(kit.At(u.Object, "/status/clusters")).To(HaveLen(len(members)))
	}).Should(Succeed())
}

func conditions(u *unstructured.Unstructured) map[string]string {
	by := map[string]string{}
	list, _ := kit.At(u.Object, "/status/conditions").(kit.Values)
	for _, item := range list {
		if condition, _ := item.(kit.Fields); condition != nil {
			by[fmt.Sprint(condition["type"])] = fmt.Sprint(condition["status"])
		}
	}
	return by
}

// saidOf is what the status of a federated object says of a cluster.
func saidOf(ctx context.Context, r kit.Ref, c *framework.Cluster) func() kit.Fields {
	return func() kit.Fields {
		u, err := kit.Read(ctx, host, r)
		if err != nil {
			return kit.Fields{"error": err.Error()}
		}
		clusters, _ := kit.At(u.Object, "/status/clusters").(kit.Values)
		for _, item := range clusters {
			if said, _ := item.(kit.Fields); said["name"] == c.Name {
				return said
			}
		}
		return nil
	}
}

func serviceInstance(ns string) kit.Ref {
	return kit.Named(apiVersion, "ServiceInstance", ns, "database")
}
func serviceBinding(ns string) kit.Ref {
	return kit.Named(apiVersion, "ServiceBinding", ns, "database")
}
func credentials(ns string) kit.Ref { return kit.Named("v1", "Secret", ns, "database-credentials") }

// externalID is the broker's name for the instance in a member.
func externalID(ctx context.Context, c *framework.Cluster, ns string) string {
	GinkgoHelper()
	return textAt(kit.Found(ctx, c, serviceInstance(ns)), "/spec/externalID")
}

// applies counts what the control plane has written of Service Catalog's types and the claims
// to a member.
func applies(ctx context.Context, c *framework.Cluster) framework.Requests {
	GinkgoHelper()
	counts, err := framework.CountRequests(ctx, c)
	Expect(err).NotTo(HaveOccurred())
	maps.DeleteFunc(counts, func(what string, _ int) bool {
		return !strings.HasPrefix(what, "APPLY ") || !strings.HasSuffix(what, "."+group) && !strings.HasSuffix(what, ".platform.example.com")
	})
	return counts
}
