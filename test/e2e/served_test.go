package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

const twoVersions = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]ss.lab.example.com}
spec:
  group: lab.example.com
  scope: Namespaced
  names: {plural: %[1]ss, kind: %[2]s}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}}
  - name: v1beta1
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}, old: {type: string}}}}}}
`

var definitions = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// serve has a cluster serve the versions of a type, or not.
func serve(ctx SpecContext, c *framework.Cluster, definition string, v1, v1beta1 bool) {
	GinkgoHelper()
	tamper(ctx, c, ref{GroupVersionKind: definitions, Name: definition}, func(u *unstructured.Unstructured) {
		versions := at(u.Object, "/spec/versions").(list) //nolint:forcetypeassert // the API server says so
		versions[0].(fields)["served"], versions[1].(fields)["served"] = v1, v1beta1
	})
}

var _ = Describe("A type that a member serves otherwise", Serial, func() {
	It("is written in a version that it serves, and a deletion waits where it serves none", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		singular := "tool" + rand.String(5)
		kind := schema.GroupVersionKind{Group: "lab.example.com", Version: "v1beta1", Kind: "Tool" + singular[4:]}
		name := singular + "s.lab.example.com"
		changing, steady := members[0], members[1]
		for _, c := range append([]*framework.Cluster{host}, members...) {
			manifest(ctx, c, twoVersions, singular, kind.Kind)
			knows(ctx, c, kind)
		}
		fedctl(ctx, "enable", name, "--version", "v1beta1")
		DeferCleanup(func(ctx SpecContext) { _, _ = system.Run(ctx, "disable", name, "--delete-crd") })
		for _, c := range members {
			Expect(system.Join(ctx, c.Name)).To(Succeed())
		}
		f := create(ctx, federateKind(kind, ns, "t", fields{"spec": fields{"a": "1", "old": "x"}}).on(changing, steady))
		expectSettled(ctx, f, changing, steady)

		By("serving another version only")
		serve(ctx, changing, name, true, false)
		inV1 := f.target
		inV1.Version = "v1"
		Eventually(ctx, func(g Gomega) { // a change until it has got there: what is served is noticed with the first answer
			change(ctx, f, func(f *federated) { set(f.template(), "/spec/a", rand.String(4)) })
			g.Expect(conditionOf(found(ctx, host, f.ref()), "Accepted")).To(And(
				HaveKeyWithValue("reason", "VersionNotServed"),
				HaveKeyWithValue("message", And(ContainSubstring("not served in "+changing.Name+": what is sent there is of version v1,"),
					ContainSubstring(changing.Name+" are left out: spec.old")))))
		}).Should(Succeed())
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/a", "2") })
		expectField(ctx, changing, inV1, "/spec/a", "2")
		expectField(ctx, steady, f.target, "/spec/a", "2")
		expectSettled(ctx, f, changing, steady)
		Expect(changing.Delete(ctx, found(ctx, changing, inV1))).To(Succeed())
		expectField(ctx, changing, inV1, "/spec/a", "2") // it is watched in that version as well

		By("serving none")
		serve(ctx, changing, name, false, false)
		expectStatus(ctx, f, "CheckClusters", map[string]string{changing.Name: "CachedRetrievalFailed", steady.Name: ""})
		expectWord(ctx, f, changing, "CachedRetrievalFailed", "serves no version")
		Expect(host.Delete(ctx, f.Unstructured)).To(Succeed())
		expectGone(ctx, steady, f.target)
		expectWord(ctx, f, changing, "WaitingForRemoval", "may still be stored there", "fedctl unjoin "+changing.Name)

		By("serving it again")
		serve(ctx, changing, name, true, true)
		expectGone(ctx, host, f.ref())
		expectMissing(ctx, changing, inV1)
	}, NodeTimeout(8*time.Minute))
})

var _ = Describe("A template of a version that Kubernetes no longer serves", func() {
	It("arrives in the one that is served, and what is missing there is said with it", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		old := workload(fields{"replicas": 1})
		old["apiVersion"] = "apps/v1beta2"
		f := create(ctx, federate("Deployment", ns, "old", old).on(members[0]))
		expectField(ctx, members[0], f.target, "/spec/replicas", int64(1))
		expectSettled(ctx, f, members[0])
		Expect(conditionOf(found(ctx, host, f.ref()), "Accepted")).To(And(
			HaveKeyWithValue("reason", "VersionNotServed"), HaveKeyWithValue("message", ContainSubstring("version v1"))))

		incomplete := workload(fields{"replicas": 1})
		incomplete["apiVersion"] = "apps/v1beta1"
		delete(incomplete["spec"].(fields), "selector") //nolint:forcetypeassert // as it is made
		g := create(ctx, federate("Deployment", ns, "older", incomplete).on(members[0]))
		expectWord(ctx, g, members[0], "CreationFailed", "version v1beta1 is not served, and in version v1:", "spec.selector")
		remove(ctx, g)
		remove(ctx, f)
		expectGone(ctx, members[0], f.target)
	}, NodeTimeout(5*time.Minute))
})

var _ = Describe("A member that holds something else for a while", localOnly, func() {
	It("is not OK while something there keeps changing what the template sets", func(ctx SpecContext) {
		f := create(ctx, configMap(federatedNamespace(ctx), "fight", fields{"mode": "host"}).on(members[0]))
		expectSettled(ctx, f, members[0])
		fighting := make(chan struct{})
		ended := make(chan struct{})
		DeferCleanup(func() { <-ended })
		go func() { // somebody's controller
			defer GinkgoRecover()
			defer close(ended)
			for {
				select {
				case <-fighting:
					return
				case <-ctx.Done():
					return
				case <-time.After(50 * time.Millisecond):
				}
				if u := found(ctx, members[0], f.target); at(u.Object, "/data/mode") == "host" {
					tamper(ctx, members[0], f.target, func(u *unstructured.Unstructured) { set(u.Object, "/data/mode", "member") })
				}
			}
		}()
		Eventually(ctx, func(g Gomega) {
			o := outcomeOf(found(ctx, host, f.ref()))
			g.Expect(o.Clusters).To(HaveKeyWithValue(members[0].Name, "Drifted"))
			g.Expect(o.Messages[members[0].Name]).To(ContainSubstring("put right again at 20"))
		}).Should(Succeed())
		close(fighting)
		Eventually(ctx, func(g Gomega) {
			g.Expect(outcomeOf(found(ctx, host, f.ref())).Clusters).To(HaveKeyWithValue(members[0].Name, ""))
		}).Should(Succeed())
		expectField(ctx, members[0], f.target, "/data/mode", "host")
	}, NodeTimeout(8*time.Minute))

	It("says so while its namespace is being deleted, and goes on when it is gone", func(ctx SpecContext) {
		ns := federatedNamespace(ctx)
		f := create(ctx, configMap(ns, "inside", fields{"a": "1"}).on(members[0], members[1]))
		expectSettled(ctx, f, members[0], members[1])
		holder := plant(ctx, members[0], configMap(ns, "holder", nil), nil, nil)
		hold := func(finalizers ...string) func(u *unstructured.Unstructured) {
			return func(u *unstructured.Unstructured) { u.SetFinalizers(finalizers) }
		}
		held := ref{GroupVersionKind: holder.GroupVersionKind(), Namespace: ns, Name: "holder"}
		tamper(ctx, members[0], held, hold("example.com/hold"))
		namespace := ref{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, Name: ns}
		Expect(members[0].Delete(ctx, found(ctx, members[0], namespace))).To(Succeed())
		expectGone(ctx, members[0], f.target)
		expectStatus(ctx, f, "CheckClusters", map[string]string{members[0].Name: "WaitingForRemoval", members[1].Name: ""})
		expectWord(ctx, f, members[0], "WaitingForRemoval", "the namespace is being deleted in the cluster")
		late := create(ctx, configMap(ns, "late", fields{"a": "1"}).on(members[0], members[1]))
		expectStatus(ctx, late, "CheckClusters", map[string]string{members[0].Name: "WaitingForRemoval", members[1].Name: ""})

		tamper(ctx, members[0], held, hold())
		expectSettled(ctx, f, members[0], members[1])
		expectSettled(ctx, late, members[0], members[1])
		expectField(ctx, members[0], f.target, "/data/a", "1")
	}, NodeTimeout(8*time.Minute))
})
