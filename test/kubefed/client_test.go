package kubefed

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

const widgetCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets, singular: widget, shortNames: [wi]}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {shape: {type: string}}}}
`

const shop = "shop" // the namespace that is federated with its contents

const shopContents = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop, labels: {team: blue}}
data: {colour: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: shop}
stringData: {key: secret}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "registry.k8s.io/pause:3.10"}]}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: round, namespace: shop}
spec: {shape: round}
`

var (
	settings = named("v1", "ConfigMap", shop, "settings")
	widget   = named("example.com/v1", "Widget", shop, "round")
)

var _ = Describe("kubefedctl v0.10.0 drives fedctl's control plane:", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		startClusters(ctx)
		Expect(system.StartControlPlane(ctx)).To(Succeed())
		for _, c := range append([]*framework.Cluster{host}, members...) {
			createYAML(ctx, c, widgetCRD)
		}
		createYAML(ctx, host, shopContents)
	}, NodeTimeout(10*time.Minute))

	It("join", func(ctx SpecContext) {
		for _, c := range members {
			kubefedctl(ctx, "join", c.Name, "--cluster-context", c.Name)
			Expect(system.WaitForMember(ctx, c.Name, true)).To(Succeed())
		}
		out := tryKubefedctl(ctx, "join", members[0].Name, "--cluster-context", members[0].Name)
		Expect(out.err).To(HaveOccurred())
		Expect(out.stderr).To(ContainSubstring("already exists"))
		kubefedctl(ctx, "join", members[0].Name, "--cluster-context", members[0].Name, "--error-on-existing=false")
		Expect(system.WaitForMember(ctx, members[0].Name, true)).To(Succeed())
	}, NodeTimeout(10*time.Minute))

	It("enable, for a type of its own, one of Kubernetes and one that is enabled", func(ctx SpecContext) {
		Expect(kubefedctl(ctx, "enable", "widgets.example.com")).To(SatisfyAll(
			ContainSubstring("customresourcedefinition.apiextensions.k8s.io/federatedwidgets.types.kubefed.io created"),
			ContainSubstring("federatedtypeconfig.core.kubefed.io/widgets.example.com created in namespace kube-federation-system")))
		kubefedctl(ctx, "enable", "limitranges")
		Expect(kubefedctl(ctx, "enable", "configmaps")).To(ContainSubstring("configmaps updated"))
		for _, name := range []string{"widgets.example.com", "limitranges", "configmaps"} {
			expectField(ctx, host, typeConfig(name), "/status/propagationController", "Running")
		}
	}, NodeTimeout(10*time.Minute))

	It("federate a namespace with its contents", func(ctx SpecContext) {
		// What controllers have made is a matter of each member; kubefedctl would federate it as well.
		kubefedctl(ctx, "federate", "namespace", shop, "--contents", "--enable-type", "--skip-api-resources", "pods,replicasets,endpointslices")
		for _, c := range members {
			expectField(ctx, c, settings, "/data/colour", "blue")
			expectField(ctx, c, settings, "/metadata/labels/kubefed.io~1managed", "true")
			expectField(ctx, c, settings, "/metadata/labels/team", "blue")
			expectField(ctx, c, named("v1", "Secret", shop, "key"), "/data/key", "c2VjcmV0")
			expectField(ctx, c, named("v1", "Service", shop, "web"), "/spec/ports/0/targetPort", 8080)
			expectField(ctx, c, named("apps/v1", "Deployment", shop, "web"), "/spec/replicas", 1)
			expectField(ctx, c, widget, "/spec/shape", "round")
		}
		expectPropagated(ctx, federatedRef("FederatedNamespace", shop, shop), members...)
		expectPropagated(ctx, federatedRef("FederatedConfigMap", shop, "settings"), members...)
		expectPropagated(ctx, federatedRef("FederatedService", shop, "web"), members...)
		expectPropagated(ctx, federatedRef("FederatedWidget", shop, "round"), members...)
	}, NodeTimeout(10*time.Minute))

	It("federate one object, of a type that is enabled with it", func(ctx SpecContext) {
		createYAML(ctx, host, `
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: shop}
spec: {hard: {pods: "10"}}
`)
		out := tryKubefedctl(ctx, "federate", "resourcequotas", "quota", "-n", shop)
		Expect(out.err).To(HaveOccurred())
		Expect(out.stderr).To(ContainSubstring("Consider using '--enable-type'"))
		kubefedctl(ctx, "federate", "resourcequotas", "quota", "-n", shop, "--enable-type")
		for _, c := range members {
			expectField(ctx, c, named("v1", "ResourceQuota", shop, "quota"), "/spec/hard/pods", "10")
		}
	}, NodeTimeout(10*time.Minute))

	It("federate a file", func(ctx SpecContext) {
		file := filepath.Join(GinkgoT().TempDir(), "limits.yaml")
		Expect(os.WriteFile(file, []byte(`
apiVersion: v1
kind: LimitRange
metadata: {name: limits, namespace: shop}
spec: {limits: [{type: Pod, max: {cpu: "2"}}]}
`), 0o600)).To(Succeed())
		createYAML(ctx, host, kubefedctl(ctx, "federate", "-f", file))
		for _, c := range members {
			expectField(ctx, c, named("v1", "LimitRange", shop, "limits"), "/spec/limits/0/max/cpu", "2")
		}
	}, NodeTimeout(10*time.Minute))

	It("changes of what it federated", func(ctx SpecContext) {
		federated := federatedRef("FederatedConfigMap", shop, "settings")
		change(ctx, host, federated, func(u *unstructured.Unstructured) {
			set(u, "/spec/template/data", fields{"colour": "red"})
			set(u, "/spec/template/metadata", nil)
			set(u, "/spec/overrides", list{fields{"clusterName": members[1].Name, "clusterOverrides": list{fields{"path": "/data/colour", "value": "green"}}}})
		})
		expectField(ctx, members[0], settings, "/data/colour", "red")
		expectField(ctx, members[1], settings, "/data/colour", "green")
		expectField(ctx, members[0], settings, "/metadata/labels/team", nil)
		change(ctx, host, federated, func(u *unstructured.Unstructured) {
			set(u, "/spec/placement", fields{"clusters": list{fields{"name": members[0].Name}}})
		})
		expectGone(ctx, members[1], settings)
	}, NodeTimeout(10*time.Minute))

	It("orphaning-deletion", func(ctx SpecContext) {
		orphaning := func(what string) string {
			return kubefedctl(ctx, "orphaning-deletion", what, "federatedconfigmaps", "settings", "-n", shop)
		}
		Expect(orphaning("status")).To(Equal("Disabled\n"))
		orphaning("enable")
		Expect(orphaning("status")).To(Equal("Enabled\n"))
		orphaning("disable")
		Expect(orphaning("status")).To(Equal("Disabled\n"))
		orphaning("enable")
		remove(ctx, federatedRef("FederatedConfigMap", shop, "settings"))
		expectField(ctx, members[0], settings, "/metadata/labels/kubefed.io~1managed", nil)
		Expect(at(found(ctx, members[0], settings).Object, "/data/colour")).To(Equal("red"))
	}, NodeTimeout(10*time.Minute))

	It("disable, which sees the controller stop and leaves no finalizer behind", func(ctx SpecContext) {
		By("refusing to delete a type's definition while there are objects")
		out := tryKubefedctl(ctx, "disable", "widgets.example.com", "--delete-crd")
		Expect(out.err).To(HaveOccurred())
		Expect(out.stderr).To(ContainSubstring("Cannot delete CRD"))

		By("disabling the type and keeping its definition")
		Expect(kubefedctl(ctx, "disable", "widgets.example.com")).To(ContainSubstring(
			`Propagation controller for FederatedTypeConfig "kube-federation-system/widgets.example.com" is stopped`))
		expectGone(ctx, host, typeConfig("widgets.example.com"))
		federated := federatedRef("FederatedWidget", shop, "round")
		expectField(ctx, host, federated, "/metadata/finalizers", nil)
		found(ctx, members[0], widget)
		remove(ctx, federated)

		By("deleting the definition as well")
		Expect(kubefedctl(ctx, "enable", "widgets.example.com")).To(ContainSubstring("created in namespace"))
		expectField(ctx, host, typeConfig("widgets.example.com"), "/status/propagationController", "Running")
		Expect(kubefedctl(ctx, "disable", "widgets.example.com", "--delete-crd")).To(SatisfyAll(
			ContainSubstring("is stopped"), ContainSubstring(`customresourcedefinition "federatedwidgets.types.kubefed.io" deleted`)))
		expectGone(ctx, host, named("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "federatedwidgets.types.kubefed.io"))
	}, NodeTimeout(10*time.Minute))

	It("unjoin", func(ctx SpecContext) {
		web := named("apps/v1", "Deployment", shop, "web")
		before := found(ctx, members[1], web)
		kubefedctl(ctx, "unjoin", members[1].Name, "--cluster-context", members[1].Name)
		expectGone(ctx, host, named("core.kubefed.io/v1beta1", "KubeFedCluster", framework.KubeFedNamespace, members[1].Name))
		expectPropagated(ctx, federatedRef("FederatedDeployment", shop, "web"), members[0])
		Expect(found(ctx, members[1], web).GetUID()).To(Equal(before.GetUID()))

		By("joining again, once the namespace that it deletes is gone")
		expectGone(ctx, members[1], named("v1", "Namespace", "", framework.KubeFedNamespace))
		kubefedctl(ctx, "join", members[1].Name, "--cluster-context", members[1].Name)
		expectPropagated(ctx, federatedRef("FederatedDeployment", shop, "web"), members...)
		Expect(found(ctx, members[1], web).GetUID()).To(Equal(before.GetUID()))
	}, NodeTimeout(10*time.Minute))

	It("deletion of a federated namespace takes it from the members", func(ctx SpecContext) {
		remove(ctx, federatedRef("FederatedNamespace", shop, shop))
		for _, c := range members {
			expectGone(ctx, c, named("v1", "Namespace", "", shop))
		}
		expectStays(ctx, host, named("v1", "Namespace", "", shop))
	}, NodeTimeout(10*time.Minute))
})

func typeConfig(name string) ref {
	return named("core.kubefed.io/v1beta1", "FederatedTypeConfig", framework.KubeFedNamespace, name)
}

// expectStays says that an object is there and not on its way out.
func expectStays(ctx context.Context, c *framework.Cluster, r ref) {
	GinkgoHelper()
	Expect(found(ctx, c, r).GetDeletionTimestamp()).To(BeNil(), "%s in cluster %s", r, c.Name)
}
