package install_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

var _ = Describe("fedctl install", Ordered, func() {
	It("changes nothing when repeated", func(ctx context.Context) {
		out, err := fedctl(ctx, "install", "--without-controller")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(MatchRegexp("0 created, 0 configured, [1-9][0-9]* unchanged"))
	})

	It("says what it would do, without doing it", func(ctx context.Context) {
		out, err := fedctl(ctx, "install", "--dry-run")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("deployment.apps/fedctl-controller in namespace kube-federation-system created"))
		Expect(out).To(MatchRegexp(`4 created, 0 configured, [1-9][0-9]* unchanged \(dry run: nothing was done\)`))
		deployment := parse(`{apiVersion: apps/v1, kind: Deployment}`)
		Expect(host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "fedctl-controller"}, deployment)).NotTo(Succeed())
	})

	It("repairs what it owns and keeps what is the owner's", func(ctx context.Context) {
		config := &fedcorev1beta1.KubeFedConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kubefed"}}
		Expect(host.Patch(ctx, config, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"syncController":{"adoptResources":"Disabled"}}}`)))).To(Succeed())
		secrets := &fedcorev1beta1.FederatedTypeConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "secrets"}}
		Expect(host.Patch(ctx, secrets, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"propagation":"Disabled"}}`)))).To(Succeed())
		role := parse(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: fedctl-controller}}`)
		Expect(host.Patch(ctx, role, client.RawPatch("application/merge-patch+json", []byte(`{"rules":[]}`)))).To(Succeed())

		out, err := fedctl(ctx, "install", "--without-controller")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(MatchRegexp("^clusterrole.rbac.authorization.k8s.io/fedctl-controller configured\n0 created, 1 configured, [1-9][0-9]* unchanged"))
		Expect(host.Get(ctx, client.ObjectKeyFromObject(config), config)).To(Succeed())
		Expect(*config.Spec.SyncController.AdoptResources).To(Equal(fedcorev1beta1.AdoptResourcesDisabled))
		Expect(host.Get(ctx, client.ObjectKeyFromObject(secrets), secrets)).To(Succeed())
		Expect(secrets.Spec.Propagation).To(Equal(fedcorev1beta1.PropagationDisabled))
	})

	It("leaves types disabled that were", func(ctx context.Context) {
		ingresses := &fedcorev1beta1.FederatedTypeConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "ingresses.networking.k8s.io"}}
		Expect(host.Patch(ctx, ingresses, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"propagation":"Disabled"}}`)))).To(Succeed())
		ingresses.Status.ObservedGeneration, ingresses.Status.PropagationController = ingresses.Generation, fedcorev1beta1.ControllerStatusNotRunning
		Expect(host.Status().Update(ctx, ingresses)).To(Succeed(), "no controller runs that would say so")
		_, err := fedctl(ctx, "disable", "ingresses.networking.k8s.io")
		Expect(err).NotTo(HaveOccurred())
		for _, how := range [][]string{{"--dry-run"}, nil} {
			out, err := fedctl(ctx, append([]string{"install", "--without-controller"}, how...)...)
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(MatchRegexp("(?m)^federatedtypeconfig.core.kubefed.io/ingresses.networking.k8s.io in namespace kube-federation-system left out: the type was disabled \\(fedctl enable ingresses.networking.k8s.io enables it again\\)\n0 created, 0 configured, "))
			Expect(host.Get(ctx, client.ObjectKeyFromObject(ingresses), ingresses)).To(MatchError(apierrors.IsNotFound, "not found"))
		}
		_, err = fedctl(ctx, "enable", "ingresses.networking.k8s.io", "--wait", "0")
		Expect(err).NotTo(HaveOccurred())
		Expect(host.Get(ctx, client.ObjectKeyFromObject(ingresses), ingresses)).To(Succeed())
		out, err := fedctl(ctx, "install", "--without-controller")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).NotTo(ContainSubstring("left out"))
	})

	It("waits for the controller, and says why it is not ready", func(ctx context.Context) {
		// Nothing runs Deployments here.
		_, err := fedctl(ctx, "install", "--kubefed-namespace", "other", "--image", "example.com/c:v1", "--wait", "3s")
		Expect(err).To(MatchError(ContainSubstring("the controller is not ready after 3s: 0 of 2 replicas are available")))
		_, err = fedctl(ctx, "install", "--kubefed-namespace", "other", "--image", "example.com/c:v1", "--wait", "1ns")
		Expect(err).To(MatchError(ContainSubstring("the controller is not ready after 1ns: the host cluster has not told of its Deployment in time")))
		deployment := parse(`{apiVersion: apps/v1, kind: Deployment}`)
		Expect(host.Get(ctx, client.ObjectKey{Namespace: "other", Name: "fedctl-controller"}, deployment)).To(Succeed())
		out, err := fedctl(ctx, "install", "--without-controller")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("0 created, 0 configured"), "one control plane leaves another alone")
	})

	It("keeps the image that it was told, and what others have set since", func(ctx context.Context) {
		deployment := parse(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: fedctl-controller, namespace: other}}`)
		Expect(host.Patch(ctx, deployment, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":3}}`)), client.FieldOwner("somebody"))).To(Succeed())
		out, err := fedctl(ctx, "install", "--kubefed-namespace", "other", "--wait", "0")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(And(ContainSubstring("kept image example.com/c:v1 of"), ContainSubstring("kept replicas 3 of"), ContainSubstring("0 created, 0 configured")))
		out, err = fedctl(ctx, "install", "--kubefed-namespace", "other", "--wait", "0", "--image", "example.com/c:v2")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("1 configured"))
		_, err = fedctl(ctx, "install", "--kubefed-namespace", "other", "--wait", "0", "--image", "example.com/c:v1")
		Expect(err).NotTo(HaveOccurred())
	})

	It("keeps the scope of a control plane", func(ctx context.Context) {
		out, err := fedctl(ctx, "install", "--without-controller", "--scope", "Namespaced", "--kubefed-namespace", "team-a")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("kubefedconfig.core.kubefed.io/kubefed in namespace team-a created"))
		out, err = fedctl(ctx, "install", "--without-controller", "--kubefed-namespace", "team-a")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(ContainSubstring("0 created, 0 configured"))
		_, err = fedctl(ctx, "install", "--without-controller", "--scope", "Cluster", "--kubefed-namespace", "team-a")
		Expect(err).To(MatchError(ContainSubstring("has scope Namespaced (KubeFedConfig team-a/kubefed), which cannot be changed")))
		_, err = fedctl(ctx, "install", "--scope", "Galaxy")
		Expect(err).To(MatchError(ContainSubstring(`--scope takes Cluster and Namespaced, not "Galaxy"`)))
	})

	It("leaves a control plane to Helm that is Helm's", func(ctx context.Context) {
		const helms = "helms"
		_, err := fedctl(ctx, "install", "--without-controller", "--kubefed-namespace", helms)
		Expect(err).NotTo(HaveOccurred())
		account := parse(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: fedctl-controller, namespace: helms}}`)
		Expect(host.Patch(ctx, account, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"meta.helm.sh/release-name":"federation","meta.helm.sh/release-namespace":"helms"}}}`)))).To(Succeed())
		for _, more := range [][]string{nil, {"--dry-run"}} {
			_, err = fedctl(ctx, append([]string{"install", "--kubefed-namespace", helms}, more...)...)
			Expect(err).To(MatchError(And(ContainSubstring("belongs to the Helm release federation in namespace helms"), ContainSubstring(`"helm upgrade federation CHART -n helms"`))))
		}
		deployment := parse(`{apiVersion: apps/v1, kind: Deployment}`)
		Expect(host.Get(ctx, client.ObjectKey{Namespace: helms, Name: "fedctl-controller"}, deployment)).NotTo(Succeed())
		_, err = fedctl(ctx, "install", "-o", "name", "--kubefed-namespace", helms)
		Expect(err).NotTo(HaveOccurred(), "what only prints")
	})

	It("tells versions", func(ctx context.Context) {
		out, err := fedctl(ctx, "version", "-o", "json", "--kubefed-namespace", "other")
		Expect(err).NotTo(HaveOccurred())
		Expect(out).To(And(ContainSubstring(`"image": "example.com/c:v1"`), ContainSubstring(`"ready": "0/3"`)))
	})

	It("gives the controller the rights it needs and no others", func(ctx context.Context) {
		for _, test := range []struct {
			allowed                     bool
			verb, group, resource, name string
		}{
			{true, "patch", "types.kubefed.io", "federateddeployments", "default"},
			{true, "patch", "types.kubefed.io", "federateddeployments/status", "default"},
			{true, "list", "types.kubefed.io", "federatedwhatevers", ""},
			{true, "list", "", "secrets", namespace},
			{true, "patch", "core.kubefed.io", "kubefedclusters/status", namespace},
			{true, "create", "coordination.k8s.io", "leases", namespace},
			{false, "get", "", "secrets", "default"},
			{false, "list", "", "secrets", ""},
			{false, "create", "types.kubefed.io", "federateddeployments", "default"},
			{false, "delete", "types.kubefed.io", "federateddeployments", "default"},
			{false, "list", "apps", "deployments", "default"},
			{false, "create", "", "namespaces", ""},
			{false, "list", "core.kubefed.io", "kubefedclusters", ""},
			{false, "patch", "apiextensions.k8s.io", "customresourcedefinitions", ""},
			{false, "patch", "rbac.authorization.k8s.io", "clusterroles", ""},
		} {
			resource, subresource, _ := strings.Cut(test.resource, "/")
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:" + namespace + ":fedctl-controller",
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: test.verb, Group: test.group, Resource: resource, Subresource: subresource, Namespace: test.name,
				},
			}}
			Expect(host.Create(ctx, review)).To(Succeed())
			Expect(review.Status.Allowed).To(Equal(test.allowed), "%s %s.%s in namespace %q", test.verb, test.resource, test.group, test.name)
		}
	})

	It("lets kubectl explain templates", func(ctx context.Context) {
		for path, want := range map[string]string{
			"federateddeployment.spec.template.spec":                         "replicas\t<integer>",
			"fdeploy.spec.template.spec.template.spec.containers.resources":  "limits\t<map[string]Object>",
			"federatedconfigmap.spec.template":                               "data\t<map[string]string>",
			"federatedbackup.spec.template.spec.retention":                   "daily\t<integer>",
			"federatedingress.spec.overrides.clusterOverrides":               "enum: add, remove, replace",
			"federatedjob.spec.placement.clusterSelector.matchExpressions":   "operator\t<string> -required-",
			"federatedservice.spec.template.spec.ports":                      "targetPort\t<Object>",
			"federateddeployment.spec.template.spec.template.spec.dnsPolicy": "FIELD: dnsPolicy <string>",
		} {
			Eventually(func(g Gomega) {
				command := exec.CommandContext(ctx, host.Fleet.Binary(), "kubectl", "--kubeconfig", host.Kubeconfig, "--context", "host", "explain", path)
				out, err := command.CombinedOutput()
				g.Expect(err).NotTo(HaveOccurred(), string(out))
				g.Expect(string(out)).To(ContainSubstring(want), path)
			}).Should(Succeed())
		}
	})

	It("takes the examples", func(ctx context.Context) {
		for _, object := range append(readFiles("../../../examples/*.yaml"), readFiles("../../../examples/member/*.yaml")...) {
			Expect(host.Create(ctx, object)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
		}
	})

	It("takes the manifests of the documentation", func(ctx context.Context) {
		taken := 0
		for _, object := range manifestsIn("../../../README.md", "../../../docs/*.md") {
			if object.GetKind() == "Kustomization" {
				continue // which no API server knows
			}
			if namespace := object.GetNamespace(); namespace != "" {
				made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
				Expect(client.IgnoreAlreadyExists(host.Create(ctx, made))).To(Succeed())
			}
			err := host.Create(ctx, object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
			Expect(client.IgnoreAlreadyExists(err)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
			taken++
		}
		Expect(taken).To(BeNumerically(">=", 8))
	})

	It("takes KubeFed's own samples", func(ctx context.Context) {
		module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kubefed").Output()
		Expect(err).NotTo(HaveOccurred())
		samples := readFiles(filepath.Join(strings.TrimSpace(string(module)), "example", "sample1", "federated*.yaml"))
		Expect(host.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "test-namespace"}})).To(Succeed())
		taken := 0
		for _, object := range samples {
			if object.GetKind() == "FederatedClusterRoleBinding" {
				continue // not enabled by default in KubeFed either
			}
			before := object.DeepCopy()
			Expect(host.Create(ctx, object)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())
			Expect(object.Object["spec"]).To(Equal(before.Object["spec"]), "nothing may be dropped")
			taken++
		}
		Expect(taken).To(BeNumerically(">=", 8))
	})

	It("keeps what it does not know, and nulls", func(ctx context.Context) {
		object := parse(`
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata: {name: lenient, namespace: default}
spec:
  template:
    kind: null
    metadata: {creationTimestamp: null, labels: {a: b}, finalizers: [x.example.com/y]}
    spec:
      replicas: null
      strategy: {}
      fromTheFuture: {deeply: [{nested: 1}]}
      template:
        metadata: {creationTimestamp: null}
        spec:
          containers: [{name: only-a-name, resources: {limits: {cpu: 0.5, memory: 1Gi, nvidia.com/gpu: 1}}, fromTheFuture: true}]
    status: {loadBalancer: {}}
  overrides:
  - clusterName: a
    clusterOverrides: [{op: add, path: /spec/x, value: null}, {op: "", path: /spec/y, value: [1, {a: b}]}]
`)
		before, err := json.Marshal(object.Object["spec"])
		Expect(err).NotTo(HaveOccurred())
		Expect(host.Create(ctx, object)).To(Succeed())
		after, err := json.Marshal(object.Object["spec"])
		Expect(err).NotTo(HaveOccurred())
		Expect(after).To(MatchJSON(before))
	})
})

// rejected asks the API server whether it takes object, without storing it.
func rejected(ctx context.Context, object *unstructured.Unstructured) error {
	return host.Create(ctx, object.DeepCopy(), client.DryRunAll)
}
