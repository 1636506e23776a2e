package federate_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// What is in the namespace shop before anything is federated. It has a Service
// with addresses of this cluster, things that a controller owns or that the
// cluster makes, and types that are not enabled.
const shop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {app: web}, annotations: {note: kept}}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: example.com/i}]}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web-1, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: 1a, controller: true}]}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: example.com/i}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-root-ca.crt, namespace: shop}
data: {ca.crt: x}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: shop}
data: {a: Yg==}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Pod
metadata: {name: lonely, namespace: shop}
spec: {automountServiceAccountToken: false, containers: [{name: c, image: example.com/i}]}`

// One container, because the first spec needs a host without a control plane.
var _ = Describe("fedctl", Ordered, func() {
	Describe("federate", federateSpecs)
	Describe("orphaning-deletion", orphaningSpecs)
	Describe("enable and disable", typesSpecs)
	Describe("status --watch", watchSpecs)
})

func federateSpecs() {
	BeforeAll(func(ctx context.Context) { create(ctx, shop) })

	It("prints without a control plane, and says how to get one", func(ctx context.Context) {
		out := mustFedctl(ctx, "federate", "svc", "web", "-n", "shop", "-o", "yaml")
		service := parse(out)
		Expect(service.Object).To(Equal(parse(`
apiVersion: types.kubefed.io/v1beta1
kind: FederatedService
metadata: {name: web, namespace: shop}
spec:
  placement: {clusterSelector: {matchLabels: {}}}
  template:
    metadata: {labels: {app: web}, annotations: {note: kept}}
    spec:
      type: NodePort
      selector: {app: web}
      ports: [{port: 80, protocol: TCP, targetPort: 80}]
      externalTrafficPolicy: Cluster
      internalTrafficPolicy: Cluster
      ipFamilies: [IPv4]
      ipFamilyPolicy: SingleStack
      sessionAffinity: None
`).Object))
		_, _, err := fedctl(ctx, "federate", "svc", "web", "-n", "shop")
		Expect(err).To(MatchError(ContainSubstring(`the host cluster has no control plane: run "fedctl install"`)))
		mustFedctl(ctx, "install", "--without-controller")
	})

	It("refuses what cannot be federated, and says why", func(ctx context.Context) {
		for args, want := range map[string]string{
			"pods lonely -n shop":                       "pods cannot be federated: a pod runs on a node of one cluster",
			"endpoints web -n shop":                     "endpoints cannot be federated: each cluster makes the endpoints of its own Services",
			"events e -n shop":                          "events cannot be federated: an event tells what happened in one cluster",
			"federatedservices web -n shop":             "federatedservices.types.kubefed.io cannot be federated: it is a federated type itself",
			"widgets w":                                 `the host cluster has no type "widgets"`,
			"service api -n shop":                       `the host cluster has no Service "api" in namespace shop: choose another namespace with -n`,
			"rs web-1 -n shop":                          `ReplicaSet "web-1" cannot be federated: it is controlled by Deployment "web"; federate that`,
			"namespaces kube-system":                    `Namespace "kube-system" cannot be federated: namespace kube-system belongs to the cluster`,
			"configmaps kube-root-ca.crt -n shop":       "every cluster puts its own certificate there",
			"deployments web -n shop --contents":        "--contents goes with namespaces, not with deployments.apps",
			"poddisruptionbudgets.policy web -n shop":   `poddisruptionbudgets.policy is not a federated type: enable it with "fedctl enable poddisruptionbudgets.policy", or add --enable-type`,
			"pdb web -n shop --dry-run --enable-type=0": "poddisruptionbudgets.policy is not a federated type",
		} {
			_, _, err := fedctl(ctx, append([]string{"federate"}, strings.Fields(args)...)...)
			Expect(err).To(MatchError(ContainSubstring(want)), args)
		}
	})

	It("federates one object, once", func(ctx context.Context) {
		out := mustFedctl(ctx, "federate", "deploy", "web", "-n", "shop", "--dry-run")
		Expect(out).To(Equal("federateddeployment.types.kubefed.io/web in namespace shop created (dry run)\n"))
		Expect(names(ctx, "shop", "FederatedDeployment")).To(BeEmpty())

		out, errOut, err := fedctl(ctx, "federate", "deployment/web", "-n", "shop")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(Equal("federateddeployment.types.kubefed.io/web in namespace shop created\n"))
		Expect(errOut).To(Equal("It is placed nowhere until its namespace is federated: fedctl federate namespaces shop\n"))
		deployment, err := federated(ctx, "shop", "FederatedDeployment/web")
		Expect(err).NotTo(HaveOccurred())
		Expect(deployment.Object["spec"]).To(HaveKeyWithValue("placement", HaveKey("clusterSelector")))

		_, _, err = fedctl(ctx, "federate", "deployments", "web", "-n", "shop")
		Expect(err).To(MatchError(ContainSubstring(`federateddeployment.types.kubefed.io/web in namespace shop exists already, so "web" is federated`)))
	})

	It("does nothing with a namespace that holds types that are not enabled", func(ctx context.Context) {
		_, _, err := fedctl(ctx, "federate", "ns", "shop", "--contents")
		Expect(err).To(MatchError(And(
			ContainSubstring("types that are not federated: poddisruptionbudgets.policy. Nothing was done."),
			ContainSubstring("--skip-api-resources poddisruptionbudgets.policy"))))
		Expect(names(ctx, "shop", "FederatedNamespace")).To(BeEmpty())
	})

	It("federates a namespace with its contents, and again", func(ctx context.Context) {
		args := []string{"federate", "namespaces", "shop", "--contents", "--enable-type", "--skip-api-resources", "secrets,nonsense"}
		out := mustFedctl(ctx, append(args, "--dry-run")...)
		Expect(out).To(HaveSuffix("4 created, 1 unchanged, 0 failed (dry run)\n"))
		Expect(names(ctx, "shop", "FederatedConfigMap")).To(BeEmpty())

		out, errOut, err := fedctl(ctx, args...)
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(And(
			ContainSubstring("federatednamespace.types.kubefed.io/shop in namespace shop created\n"),
			ContainSubstring("federateddeployment.types.kubefed.io/web in namespace shop unchanged: exists already\n"),
			ContainSubstring("federatedpoddisruptionbudget.types.kubefed.io/web in namespace shop created\n"),
			HaveSuffix("4 created, 1 unchanged, 0 failed\n")))
		for _, line := range []string{
			`warning: --skip-api-resources: "nonsense" is no type`,
			"skipped configmaps kube-root-ca.crt: every cluster puts its own certificate there\n",
			"skipped pods lonely: a pod runs on a node of one cluster",
			`skipped replicasets.apps web-1: it is controlled by Deployment "web"; federate that`,
			"skipped serviceaccounts default: every namespace has one",
			"Join each member joined earlier once more (fedctl join CLUSTER)",
		} {
			Expect(errOut).To(ContainSubstring(line))
		}
		Expect(names(ctx, "shop", "FederatedSecret")).To(BeEmpty())
		Expect(names(ctx, "shop", "FederatedConfigMap")).To(ConsistOf("settings"))
		namespace, err := federated(ctx, "shop", "FederatedNamespace/shop")
		Expect(err).NotTo(HaveOccurred())
		Expect(namespace.Object["spec"]).To(HaveKeyWithValue("template", HaveKeyWithValue("metadata", HaveKeyWithValue("labels", Equal(map[string]any{"team": "a"})))))

		Expect(mustFedctl(ctx, args...)).To(HaveSuffix("0 created, 5 unchanged, 0 failed\n"))
	})

	It("leaves out what is the cluster's own in namespace default", func(ctx context.Context) {
		_, errOut, err := fedctl(ctx, "federate", "ns/default", "--contents", "--dry-run")
		Expect(err).NotTo(HaveOccurred())
		Expect(errOut).To(And(
			ContainSubstring("skipped services kubernetes: it is the API server of this cluster"),
			ContainSubstring("Namespace default itself is not changed in the members")))
	})

	It("completes types, names and namespaces", func(ctx context.Context) {
		Expect(mustFedctl(ctx, "__complete", "federate", "")).To(ContainSubstring("deployments\n"))
		Expect(mustFedctl(ctx, "__complete", "federate", "cm", "-n", "shop", "")).To(HavePrefix("kube-root-ca.crt\nsettings\n"))
		Expect(mustFedctl(ctx, "__complete", "federate", "ns", "")).To(ContainSubstring("shop\n"))
		Expect(mustFedctl(ctx, "__complete", "orphaning-deletion", "enable", "cm", "-n", "shop", "")).To(HavePrefix("settings\n"))
		Expect(mustFedctl(ctx, "__complete", "orphaning-deletion", "status", "FederatedNamespace", "")).To(HavePrefix("shop\n"))
		Expect(mustFedctl(ctx, "__complete", "federate", "cm", "-n", "")).To(ContainSubstring("kube-federation-system\n"))
	})
}
