package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// typeConfig names the FederatedTypeConfig of a target, such as deployments.apps.
func typeConfig(name string) ref {
	return ref{
		GroupVersionKind: schema.GroupVersionKind{Group: "core.kubefed.io", Version: "v1beta1", Kind: "FederatedTypeConfig"},
		Namespace:        framework.KubeFedNamespace, Name: name,
	}
}

// configure sets a field of a FederatedTypeConfig's spec.
func configure(ctx SpecContext, name, field string, value any) {
	GinkgoHelper()
	tamper(ctx, host, typeConfig(name), func(u *unstructured.Unstructured) { set(u.Object, "/spec/"+field, value) })
}

// remoteOf is what the status has collected from a member.
func remoteOf(u *unstructured.Unstructured, member string) any {
	clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
	for _, item := range clusters {
		if c, ok := item.(fields); ok && c["name"] == member {
			return c["remoteStatus"]
		}
	}
	return nil
}

var _ = Describe("Status collection", func() {
	It("is switched on and off at run time", Serial, func(ctx SpecContext) {
		f := federate("Deployment", federatedNamespace(ctx), "collected", workload(fields{"replicas": 1})).on(members[0], members[1])
		f.override(members[1].Name, patch("", "/spec/replicas", 2))
		create(ctx, f)
		expectSettled(ctx, f, members[0], members[1])
		Expect(remoteOf(found(ctx, host, f.ref()), members[0].Name)).To(BeNil())

		By("switching it on")
		configure(ctx, "deployments.apps", "statusCollection", "Enabled")
		DeferCleanup(func(ctx SpecContext) { configure(ctx, "deployments.apps", "statusCollection", "Disabled") })
		expectCollected := func(ready ...int64) {
			GinkgoHelper()
			Eventually(ctx, func(g Gomega) {
				u, err := read(ctx, host, f.ref())
				g.Expect(err).NotTo(HaveOccurred())
				for i, n := range ready {
					g.Expect(at(remoteOf(u, members[i].Name), "/readyReplicas")).To(Equal(n), members[i].Name)
				}
			}).Should(Succeed())
		}
		expectCollected(1, 2)
		expectSettled(ctx, f, members[0], members[1])

		By("following the members")
		change(ctx, f, func(f *federated) { set(f.template(), "/spec/replicas", 3) })
		expectCollected(3, 2)

		By("switching it off")
		configure(ctx, "deployments.apps", "statusCollection", "Disabled")
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(remoteOf(u, members[0].Name)).To(BeNil())
		}).Should(Succeed())
		expectSettled(ctx, f, members[0], members[1])
	})

	It("is repeated in KubeFed's status objects, for a type that names theirs", Serial, func(ctx SpecContext) {
		f := federate("Service", federatedNamespace(ctx), "served", fields{"spec": fields{"type": "LoadBalancer", "ports": list{fields{"port": 80}}}}).
			on(members[0], members[1])
		create(ctx, f)
		expectSettled(ctx, f, members[0], members[1])

		By("naming a type that is not defined")
		DeferCleanup(func(ctx SpecContext) {
			configure(ctx, "services", "statusType", nil)
			configure(ctx, "services", "statusCollection", nil)
		})
		tamper(ctx, host, typeConfig("services"), func(u *unstructured.Unstructured) {
			set(u.Object, "/spec/statusType", fields{
				"group": "core.kubefed.io", "version": "v1alpha1", "kind": "FederatedServiceStatus",
				"pluralName": "federatedservicestatuses", "scope": "Namespaced",
			})
			set(u.Object, "/spec/statusCollection", "Enabled")
		})
		expectTypeEvent(ctx, "services", "StatusTypeMissing")
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, f.ref())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(remoteOf(u, members[0].Name)).NotTo(BeNil())
		}).Should(Succeed())

		By("defining it")
		objects, err := framework.ParseYAML(serviceStatuses)
		Expect(err).NotTo(HaveOccurred())
		Expect(host.Create(ctx, objects[0])).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(host.Delete(ctx, objects[0]))).To(Succeed()) })
		status := ref{
			GroupVersionKind: schema.GroupVersionKind{Group: "core.kubefed.io", Version: "v1alpha1", Kind: "FederatedServiceStatus"},
			Namespace:        f.GetNamespace(), Name: f.GetName(),
		}
		none := fields{"loadBalancer": fields{}}
		entry := func(i int, status fields) fields { return fields{"clusterName": members[i].Name, "status": status} }
		expectField(ctx, host, status, "/clusterStatus", list{entry(0, none), entry(1, none)})
		expectField(ctx, host, typeConfig("services"), "/status/statusController", "Running")
		owners := found(ctx, host, status).GetOwnerReferences()
		Expect(owners).To(HaveLen(1))
		Expect(owners[0].UID).To(Equal(found(ctx, host, f.ref()).GetUID()))

		By("following the members, and dropping what the type does not know")
		address := func(ip string) fields { return fields{"loadBalancer": fields{"ingress": list{fields{"ip": ip}}}} }
		Eventually(ctx, func() error {
			u := found(ctx, members[1], f.target)
			set(u.Object, "/status/loadBalancer", fields{"ingress": list{fields{"ip": "192.0.2.7", "ipMode": "VIP"}}})
			return members[1].Status().Update(ctx, u)
		}).Should(Succeed())
		expectField(ctx, host, status, "/clusterStatus", list{entry(0, none), entry(1, address("192.0.2.7"))})
		version := found(ctx, host, status).GetResourceVersion()
		change(ctx, f, func(f *federated) { set(f.template(), "/metadata", fields{"labels": fields{"app": "x"}}) })
		expectField(ctx, members[1], f.target, "/metadata/labels/app", "x")
		expectSettled(ctx, f, members[0], members[1])
		Expect(found(ctx, host, status).GetResourceVersion()).To(Equal(version))

		By("following the placement")
		change(ctx, f, func(f *federated) { f.on(members[1]) })
		expectField(ctx, host, status, "/clusterStatus", list{entry(1, address("192.0.2.7"))})

		By("others changing or deleting it")
		tamper(ctx, host, status, func(u *unstructured.Unstructured) { set(u.Object, "/clusterStatus", list{}) })
		expectField(ctx, host, status, "/clusterStatus", list{entry(1, address("192.0.2.7"))})
		lost := found(ctx, host, status)
		Expect(host.Delete(ctx, lost)).To(Succeed())
		expectReplaced(ctx, host, status, lost.GetUID())

		By("switching it off and on")
		configure(ctx, "services", "statusCollection", "Disabled")
		expectField(ctx, host, typeConfig("services"), "/status/statusController", "NotRunning")
		change(ctx, f, func(f *federated) { f.on(members[0], members[1]) })
		expectSettled(ctx, f, members[0], members[1])
		expectField(ctx, host, status, "/clusterStatus", list{entry(1, address("192.0.2.7"))})
		configure(ctx, "services", "statusCollection", "Enabled")
		expectField(ctx, host, status, "/clusterStatus", list{entry(0, none), entry(1, address("192.0.2.7"))})

		By("deleting the federated object")
		remove(ctx, f)
		expectGone(ctx, host, status)
	}, NodeTimeout(10*time.Minute))
})

// serviceStatuses is the part of KubeFed's definition that the specs need; as its
// older forms do, it knows no ipMode.
const serviceStatuses = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: federatedservicestatuses.core.kubefed.io
spec:
  group: core.kubefed.io
  scope: Namespaced
  names: {plural: federatedservicestatuses, singular: federatedservicestatus, kind: FederatedServiceStatus}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          clusterStatus:
            type: array
            items:
              type: object
              required: [clusterName, status]
              properties:
                clusterName: {type: string}
                status:
                  type: object
                  properties:
                    loadBalancer:
                      type: object
                      properties:
                        ingress:
                          type: array
                          items:
                            type: object
                            properties:
                              ip: {type: string}
`

// expectTypeEvent waits for an event on a FederatedTypeConfig.
func expectTypeEvent(ctx SpecContext, name, reason string) {
	GinkgoHelper()
	Eventually(ctx, func() []string {
		return kit.Notes(ctx, host, "FederatedTypeConfig", framework.KubeFedNamespace, name)
	}).Should(ContainElement(HavePrefix(reason + ": ")))
}
