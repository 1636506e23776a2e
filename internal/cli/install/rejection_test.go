package install_test

import (
	"context"
	"errors"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/federate"
)

func withOverrides(kind, name, overrides string) *unstructured.Unstructured {
	return parse(fmt.Sprintf(`
apiVersion: types.kubefed.io/v1beta1
kind: %s
metadata: {name: %s, namespace: default}
spec:
  template: {}
  overrides: %s
`, kind, name, overrides))
}

var _ = Describe("overrides", Ordered, func() {
	BeforeAll(func(ctx context.Context) { waitForPolicies(ctx) })

	DescribeTable("that no cluster could apply are refused", func(ctx context.Context, kind, overrides, message string) {
		Expect(rejected(ctx, withOverrides(kind, "x", overrides))).To(MatchError(ContainSubstring(message)))
	},
		Entry("of the kind", "FederatedConfigMap", `[{clusterName: b}, {clusterName: a, clusterOverrides: [{path: /data/x, value: y}, {path: /kind, value: Secret}]}]`,
			`spec.overrides[1].clusterOverrides[1].path (cluster a): "/kind" must not be overridden`),
		Entry("of the name", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{path: /metadata/name, value: y}]}]`, `"/metadata/name" must not be overridden`),
		Entry("of the namespace", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{op: remove, path: /metadata/namespace}]}]`, `"/metadata/namespace" must not be overridden`),
		Entry("of all metadata", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{path: /metadata, value: {}}]}]`, `"/metadata" must not be overridden`),
		Entry("of everything", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{path: "", value: {}}]}]`, `"" must not be overridden`),
		Entry("with a relative path", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{path: data/x, value: y}]}]`, `"data/x" must be a JSON pointer`),
		Entry("without a value", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{op: add, path: /data/x}]}]`, `spec.overrides[0].clusterOverrides[0].value (cluster a): "/data/x" has no value`),
		Entry("with an unknown op", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{op: merge, path: /data/x, value: y}]}]`,
			`spec.overrides[0].clusterOverrides[0].op: Unsupported value: "merge"`),
		Entry("of a cluster twice", "FederatedConfigMap", `[{clusterName: a}, {clusterName: b}, {clusterName: a}]`, `spec.overrides[2].clusterName: a appears more than once`),
		Entry("of a path twice", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{path: /data/x, value: y}, {path: /data/x, value: z}]}]`, `(cluster a): path "/data/x" appears more than once`),
	)

	DescribeTable("that a cluster could apply are taken", func(ctx context.Context, kind, overrides string) {
		Expect(rejected(ctx, withOverrides(kind, "x", overrides))).To(Succeed())
	},
		Entry("none", "FederatedConfigMap", `[]`),
		Entry("no cluster", "FederatedConfigMap", `[{clusterOverrides: [{path: /data/x, value: y}]}]`),
		Entry("no patches", "FederatedConfigMap", `[{clusterName: a}, {clusterName: b, clusterOverrides: []}]`),
		Entry("appending", "FederatedDeployment", `[{clusterName: a, clusterOverrides: [{op: add, path: /spec/template/spec/tolerations/-, value: {operator: Exists}}]}]`),
		Entry("through a negative index", "FederatedDeployment", `[{clusterName: a, clusterOverrides: [{path: /spec/template/spec/containers/-1/image, value: y}]}]`),
		Entry("of the version", "FederatedDeployment", `[{clusterName: a, clusterOverrides: [{path: /apiVersion, value: apps/v1}]}]`),
		Entry("keys like an index", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{op: add, path: /data/-1, value: y}]}]`),
		Entry("values that are null, false, zero or empty", "FederatedConfigMap",
			`[{clusterName: a, clusterOverrides: [{path: /data/a, value: null}, {path: /data/b, value: false}, {path: /data/c, value: 0}, {path: /data/d, value: ""}]}]`),
		Entry("labels and annotations", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{op: add, path: /metadata/labels, value: {a: b}}, {path: /metadata/annotations/kind, value: y}]}]`),
		Entry("removing", "FederatedConfigMap", `[{clusterName: a, clusterOverrides: [{op: remove, path: /data/x}]}]`),
	)

	It("may be as many as an object can hold", func(ctx context.Context) {
		overrides := make([]any, 1000)
		for i := range overrides {
			patches := make([]any, 20)
			for j := range patches {
				patches[j] = map[string]any{"path": fmt.Sprintf("/data/key-%d", j), "value": "v"}
			}
			overrides[i] = map[string]any{"clusterName": fmt.Sprintf("cluster-%d", i), "clusterOverrides": patches}
		}
		object := withOverrides("FederatedConfigMap", "many", "[]")
		Expect(unstructured.SetNestedSlice(object.Object, overrides, "spec", "overrides")).To(Succeed())
		Expect(rejected(ctx, object)).To(Succeed())
	})

	It("may not be more for a cluster than are carried out", func(ctx context.Context) {
		patches := make([]any, federate.MaxOverrides+1)
		for i := range patches {
			patches[i] = map[string]any{"path": fmt.Sprintf("/data/key-%d", i), "value": "v"}
		}
		object := withOverrides("FederatedConfigMap", "too-many", "[]")
		Expect(unstructured.SetNestedSlice(object.Object, []any{map[string]any{"clusterName": "a", "clusterOverrides": patches}}, "spec", "overrides")).To(Succeed())
		Expect(rejected(ctx, object)).To(MatchError(ContainSubstring("spec.overrides[0].clusterOverrides (cluster a): has 5001 overrides, a cluster can have 5000")))
	})

	It("that were stored before do not stand in the way of anything else", func(ctx context.Context) {
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "overrides.types.kubefed.io"}}
		Expect(host.Delete(ctx, binding)).To(Succeed())
		bad := `[{clusterName: a, clusterOverrides: [{path: /kind, value: Secret}]}]`
		object := withOverrides("FederatedConfigMap", "stored-before", bad)
		object.SetFinalizers([]string{"example.com/finalizer"})
		Eventually(func() error { return host.Create(ctx, object.DeepCopy()) }).Should(Succeed())
		_, err := fedctl(ctx, "install", "--without-controller")
		Expect(err).NotTo(HaveOccurred())
		waitForPolicies(ctx)

		patch := func(data string) error {
			return host.Patch(ctx, object.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(data)))
		}
		Expect(patch(`{"metadata":{"labels":{"a":"b"}}}`)).To(Succeed())
		Expect(patch(`{"spec":{"placement":{"clusters":[]}}}`)).To(Succeed())
		Expect(patch(`{"spec":{"overrides":[{"clusterName":"a","clusterOverrides":[{"path":"/metadata/name","value":"x"}]}]}}`)).
			To(MatchError(ContainSubstring("must not be overridden")))
		Expect(host.Delete(ctx, object.DeepCopy())).To(Succeed())
		Expect(patch(`{"metadata":{"finalizers":null}}`)).To(Succeed())
		Expect(host.Get(ctx, client.ObjectKeyFromObject(object), object)).NotTo(Succeed())
	})
})

var _ = DescribeTable("an ownership", func(ctx context.Context, value string, taken bool) {
	waitForPolicies(ctx)
	object := withOverrides("FederatedConfigMap", "x", "[]")
	object.SetAnnotations(map[string]string{federate.OwnershipAnnotation: value})
	config := parse("{apiVersion: core.kubefed.io/v1beta1, kind: FederatedTypeConfig, metadata: {name: foos.x.io, namespace: default}, spec: {propagation: Disabled, " +
		"targetType: {group: x.io, version: v1, kind: Foo, pluralName: foos, scope: Namespaced}, " +
		"federatedType: {group: a.b, version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}}")
	config.SetAnnotations(object.GetAnnotations())
	for _, o := range []*unstructured.Unstructured{object, config} {
		if taken {
			Expect(rejected(ctx, o)).To(Succeed(), o.GetKind())
		} else {
			Eventually(func() error { return rejected(ctx, o) }).Should(MatchError(ContainSubstring("metadata.annotations[fedctl.io/ownership] must be Exact or Shared")), o.GetKind())
		}
	}
},
	Entry("that is exact", "Exact", true),
	Entry("that is shared", "Shared", true),
	Entry("that is none", "exact", false),
)

// warnings collects what an API server warns of.
type warnings struct{ all []string }

func (w *warnings) HandleWarningHeader(_ int, _, text string) { w.all = append(w.all, text) }

var _ = DescribeTable("a preference is taken", func(ctx context.Context, bounds, message string) {
	heard := &warnings{}
	config := rest.CopyConfig(host.Config)
	config.WarningHandler = heard
	listening, err := client.New(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	object := parse(fmt.Sprintf("{apiVersion: scheduling.kubefed.io/v1alpha1, kind: ReplicaSchedulingPreference, metadata: {name: x, namespace: default}, "+
		"spec: {targetKind: FederatedDeployment, totalReplicas: 3, clusters: %s}}", bounds))
	if message == "" {
		waitForPolicies(ctx)
		Expect(listening.Create(ctx, object, client.DryRunAll)).To(Succeed())
		Expect(heard.all).To(BeEmpty())
		return
	}
	Eventually(func(g Gomega) {
		g.Expect(listening.Create(ctx, object.DeepCopy(), client.DryRunAll)).To(Succeed())
		g.Expect(heard.all).To(ContainElement(ContainSubstring(message)))
	}).Should(Succeed())
},
	Entry("with bounds that hold", `{"*": {minReplicas: 2, maxReplicas: 2}, a: {minReplicas: 3}, b: {maxReplicas: 0}}`, ""),
	Entry("without clusters", `{}`, ""),
	Entry("with a warning where they contradict each other", `{a: {weight: 1}, "*": {minReplicas: 3, maxReplicas: 2}}`,
		"spec.clusters[*]: minReplicas is 3, and maxReplicas 2: both cannot hold"),
)

var _ = DescribeTable("the orphan annotation is warned of when it is written", func(ctx context.Context, value string, good bool) {
	waitForPolicies(ctx)
	heard := &warnings{}
	config := rest.CopyConfig(host.Config)
	config.WarningHandler = heard
	listening, err := client.New(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	orphan := func(value string) *unstructured.Unstructured {
		object := withOverrides("FederatedConfigMap", "x", "[]")
		object.SetAnnotations(map[string]string{federate.OrphanAnnotation: value})
		return object
	}
	write := func(value string) error { return listening.Create(ctx, orphan(value), client.DryRunAll) }
	Eventually(func() []string { // the rule holds
		Expect(write("nope")).To(Succeed())
		return heard.all
	}).Should(ContainElement(ContainSubstring("metadata.annotations[kubefed.io/orphan] must be true or false")))
	heard.all = nil
	Expect(write(value)).To(Succeed())
	if good {
		Expect(heard.all).To(BeEmpty())
	} else {
		Expect(heard.all).To(HaveLen(1))
	}
	read, err := federate.Parse(orphan(value)) // as the controller does
	Expect(err).NotTo(HaveOccurred())
	Expect(read.DeleteOptionsError == nil).To(Equal(good))
},
	Entry("unless it is true", "true", true),
	Entry("unless it is True", "True", true),
	Entry("unless it is 0", "0", true),
	Entry("unless it says nothing", "", true),
	Entry("where it is yes", "yes", false),
	Entry("where it is in capitals as nobody reads them", "tRUE", false),
)

var _ = DescribeTable("a template", func(ctx context.Context, kind, template, message string) {
	object := parse(fmt.Sprintf("{apiVersion: types.kubefed.io/v1beta1, kind: %s, metadata: {name: x, namespace: default}, spec: {template: %s}}", kind, template))
	Expect(rejected(ctx, object)).To(MatchError(ContainSubstring(message)))
},
	Entry("with a word for a number", "FederatedDeployment", `{spec: {replicas: three}}`, `spec.template.spec.replicas: Invalid value: "string": spec.template.spec.replicas in body must be of type integer`),
	Entry("with a list for an object", "FederatedDeployment", `{spec: {template: {spec: {securityContext: []}}}}`, "spec.template.spec.template.spec.securityContext in body must be of type object"),
	Entry("that is none", "FederatedConfigMap", `[]`, "spec.template in body must be of type object"),
)

var _ = Describe("objects of the control plane", Ordered, func() {
	BeforeAll(func(ctx context.Context) { waitForPolicies(ctx) })

	manifest := func(kind, name, in, spec string) *unstructured.Unstructured {
		return parse(fmt.Sprintf("{apiVersion: core.kubefed.io/v1beta1, kind: %s, metadata: {name: %s, namespace: %s}, spec: %s}", kind, name, in, spec))
	}
	const fooTarget = `targetType: {group: x.io, version: v1, kind: Foo, pluralName: foos, scope: Namespaced}`
	const fooFederated = `federatedType: {group: a.b, version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}`

	// good are stored, to be updated and patched.
	good := map[string]*unstructured.Unstructured{
		"KubeFedCluster x":              manifest("KubeFedCluster", "x", "default", `{apiEndpoint: "https://192.0.2.1", secretRef: {name: s}}`),
		"KubeFedConfig x":               manifest("KubeFedConfig", "x", "default", `{scope: Cluster}`),
		"FederatedTypeConfig foos.x.io": manifest("FederatedTypeConfig", "foos.x.io", "default", `{propagation: Disabled, `+fooTarget+`, `+fooFederated+`}`),
	}
	BeforeAll(func(ctx context.Context) {
		for _, object := range good {
			Expect(host.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, object)).To(Succeed()) })
		}
	})

	DescribeTable("are refused", func(ctx context.Context, kind, name, spec, message string) {
		Expect(rejected(ctx, manifest(kind, name, namespace, spec))).To(MatchError(ContainSubstring(message)))
		// The rules of a control plane of scope Cluster hold everywhere, as KubeFed's.
		bad := manifest(kind, name, "default", spec)
		Expect(rejected(ctx, bad)).To(MatchError(ContainSubstring(message)))
		stored := good[kind+" "+name]
		if stored == nil {
			return
		}
		bad.SetResourceVersion(stored.GetResourceVersion())
		Expect(host.Update(ctx, bad.DeepCopy(), client.DryRunAll)).To(MatchError(ContainSubstring(message)), "update")
		patch, err := (&unstructured.Unstructured{Object: map[string]any{"apiVersion": bad.GetAPIVersion(), "kind": kind, "spec": bad.Object["spec"]}}).MarshalJSON()
		Expect(err).NotTo(HaveOccurred())
		Expect(host.Patch(ctx, stored.DeepCopy(), client.RawPatch("application/merge-patch+json", patch), client.DryRunAll)).To(MatchError(ContainSubstring(message)), "patch")
	},
		Entry("a cluster without an endpoint", "KubeFedCluster", "x", `{apiEndpoint: "", secretRef: {name: s}}`, "spec.apiEndpoint must not be empty"),
		Entry("a cluster with an odd endpoint", "KubeFedCluster", "x", `{apiEndpoint: "ftp://x", secretRef: {name: s}}`, "spec.apiEndpoint must be a host"),
		Entry("a cluster with an odd port", "KubeFedCluster", "x", `{apiEndpoint: "https://x:99999", secretRef: {name: s}}`, "the port must be a number"),
		Entry("a cluster with an odd port and no scheme", "KubeFedCluster", "x", `{apiEndpoint: "10.0.0.1:0", secretRef: {name: s}}`, "the port must be a number"),
		Entry("a cluster without a Secret", "KubeFedCluster", "x", `{apiEndpoint: "https://x", secretRef: {name: ""}}`, "spec.secretRef.name"),
		Entry("a cluster with an odd Secret", "KubeFedCluster", "x", `{apiEndpoint: "https://x", secretRef: {name: A_b}}`, "spec.secretRef.name"),
		Entry("a cluster with unknown TLS settings", "KubeFedCluster", "x", `{apiEndpoint: "https://x", secretRef: {name: s}, disabledTLSValidations: [Trust]}`, "disabledTLSValidations"),
		Entry("a cluster with an odd proxy", "KubeFedCluster", "x", `{apiEndpoint: "https://x", proxyURL: "ftp://x", secretRef: {name: s}}`, "spec.proxyURL must be"),
		Entry("a cluster with odd TLS settings", "KubeFedCluster", "x", `{apiEndpoint: "https://x", secretRef: {name: s}, disabledTLSValidations: ["*", SubjectName]}`, "* means all"),
		Entry("a type without a federated group", "FederatedTypeConfig", "foos.x.io",
			`{propagation: Enabled, `+fooTarget+`, federatedType: {group: "", version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}`, "spec.federatedType.group"),
		Entry("a type under another name", "FederatedTypeConfig", "bars.x.io",
			`{propagation: Enabled, `+fooTarget+`, federatedType: {group: a.b, version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}`, "metadata.name must be"),
		Entry("a type whose target is another one", "FederatedTypeConfig", "foos.x.io",
			`{propagation: Enabled, targetType: {group: x.io, version: v1, kind: Foo, pluralName: bars, scope: Namespaced}, `+fooFederated+`}`, "metadata.name must be"),
		Entry("a type with a target group that is no domain", "FederatedTypeConfig", "foos.x_io",
			`{propagation: Enabled, targetType: {group: x_io, version: v1, kind: Foo, pluralName: foos, scope: Namespaced}, `+fooFederated+`}`, "x_io"),
		Entry("a type with an odd kind", "FederatedTypeConfig", "foos.x.io",
			`{propagation: Enabled, targetType: {group: x.io, version: v1, kind: 1Foo, pluralName: foos, scope: Namespaced}, `+fooFederated+`}`, "version, kind and pluralName"),
		Entry("a type with an odd propagation", "FederatedTypeConfig", "foos.x.io",
			`{propagation: "On", `+fooTarget+`, federatedType: {group: a.b, version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}`, "spec.propagation must be"),
		Entry("settings with odd words", "KubeFedConfig", "x", `{scope: Cluster, syncController: {adoptResources: Sometimes}}`, "spec.syncController.adoptResources must be"),
		Entry("settings with odd times", "KubeFedConfig", "x", `{scope: Cluster, leaderElect: {leaseDuration: 5s, renewDeadline: 10s}}`, "leaseDuration must be greater than renewDeadline"),
		Entry("a type with a federated group that is no domain", "FederatedTypeConfig", "foos.x.io",
			`{propagation: Enabled, `+fooTarget+`, federatedType: {group: types, version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}`, "a domain with at least one dot"),
		Entry("a type with a status type without a group", "FederatedTypeConfig", "foos.x.io",
			`{propagation: Enabled, `+fooTarget+`, `+fooFederated+`, statusType: {group: "", version: v1, kind: FooStatus, pluralName: foostatuses, scope: Namespaced}}`, "spec.statusType.group"),
		Entry("a type with an odd version", "FederatedTypeConfig", "foos.x.io",
			`{propagation: Enabled, `+fooTarget+`, federatedType: {group: a.b, version: "1", kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}`, "version, kind and pluralName"),
		Entry("a type without a plural name", "FederatedTypeConfig", "foos.x.io",
			`{propagation: Enabled, `+fooTarget+`, federatedType: {group: a.b, version: v1, kind: FederatedFoo, pluralName: "", scope: Namespaced}}`, "version, kind and pluralName"),
		Entry("a type with an odd scope", "FederatedTypeConfig", "foos.x.io",
			`{propagation: Enabled, `+fooTarget+`, federatedType: {group: a.b, version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: World}}`, "must be Cluster or Namespaced"),
		Entry("a type with an odd status collection", "FederatedTypeConfig", "foos.x.io",
			`{propagation: Enabled, statusCollection: Sometimes, `+fooTarget+`, `+fooFederated+`}`, "spec.statusCollection must be"),
		Entry("settings with an odd scope", "KubeFedConfig", "x", `{scope: Galaxy}`, "spec.scope must be"),
		Entry("settings with a delay of nothing", "KubeFedConfig", "x", `{scope: Cluster, controllerDuration: {unavailableDelay: 0s}}`, "durations must be greater than 0"),
		Entry("settings with a negative period", "KubeFedConfig", "x", `{scope: Cluster, clusterHealthCheck: {period: -1s}}`, "durations must be greater than 0"),
		Entry("settings with a threshold of nothing", "KubeFedConfig", "x", `{scope: Cluster, clusterHealthCheck: {failureThreshold: 0}}`, "must be greater than 0"),
		Entry("settings with no reconciles", "KubeFedConfig", "x", `{scope: Cluster, statusController: {maxConcurrentReconciles: 0}}`, "must be greater than 0"),
		Entry("settings with a long retry period", "KubeFedConfig", "x", `{scope: Cluster, leaderElect: {retryPeriod: 9s}}`, "1.2 times retryPeriod"),
		Entry("settings with an odd lock", "KubeFedConfig", "x", `{scope: Cluster, leaderElect: {resourceLock: files}}`, "resourceLock must be"),
		Entry("settings with a gate twice", "KubeFedConfig", "x",
			`{scope: Cluster, featureGates: [{name: PushReconciler, configuration: Enabled}, {name: PushReconciler, configuration: Enabled}]}`, "a gate may appear once"),
		Entry("settings with an odd gate", "KubeFedConfig", "x", `{scope: Cluster, featureGates: [{name: PushReconciler, configuration: "On"}]}`, "configuration must be Enabled or Disabled"),
		Entry("settings with odd gates", "KubeFedConfig", "x", `{scope: Cluster, featureGates: [{name: Foo, configuration: Enabled}]}`, "spec.featureGates"),
	)

	It("are refused with odd statuses", func(ctx context.Context) {
		writeStatus := func(object *unstructured.Unstructured, status string) error {
			updated := object.DeepCopy()
			Expect(host.Get(ctx, client.ObjectKeyFromObject(object), updated)).To(Succeed())
			updated.Object["status"] = parse(`{apiVersion: v1, kind: Any, status: ` + status + `}`).Object["status"]
			updateErr := host.Status().Update(ctx, updated, client.DryRunAll)
			err := host.Status().Patch(ctx, object.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"status":`+status+`}`)))
			if (err == nil) != (updateErr == nil) {
				return errors.New("a patch is not judged like an update")
			}
			return err
		}
		foos := manifest("FederatedTypeConfig", "foos.x.io", namespace, `{propagation: Disabled, `+fooTarget+`, `+fooFederated+`}`)
		cluster := manifest("KubeFedCluster", "odd", namespace, `{apiEndpoint: "192.0.2.1:6443", secretRef: {name: s}}`)
		for _, object := range []*unstructured.Unstructured{foos, cluster} {
			Expect(host.Create(ctx, object)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(host.Delete(ctx, object)).To(Succeed()) })
		}
		Eventually(func() error { return writeStatus(foos, `{"observedGeneration":1,"propagationController":"Walking"}`) }).Should(MatchError(ContainSubstring("status.propagationController must be")))
		Expect(writeStatus(foos, `{"observedGeneration":-1,"propagationController":"Running"}`)).To(MatchError(ContainSubstring("must not be negative")))
		Expect(writeStatus(foos, `{"observedGeneration":1,"propagationController":"Running","statusController":"Flying"}`)).To(MatchError(ContainSubstring("status.statusController must be")))
		Expect(writeStatus(foos, `{"observedGeneration":1,"propagationController":"Running","statusController":"NotRunning"}`)).To(Succeed())

		condition := func(kind, status string) string {
			return `{"conditions":[{"type":"` + kind + `","status":"` + status + `","lastProbeTime":"2030-01-01T00:00:00Z"}]}`
		}
		Eventually(func() error { return writeStatus(cluster, condition("Happy", "True")) }).Should(MatchError(ContainSubstring("the types are Ready, Offline, ConfigMalformed and Leftovers")))
		Expect(writeStatus(cluster, condition("Ready", "Perhaps"))).To(MatchError(ContainSubstring("status must be True, False or Unknown")))
		Expect(writeStatus(cluster, `{"conditions":[{"type":"Ready","status":"True"}]}`)).To(MatchError(ContainSubstring("lastProbeTime")))
		Expect(writeStatus(cluster, condition("Ready", "True"))).To(Succeed())
	})

	It("keep the scope of a control plane", func(ctx context.Context) {
		config := manifest("KubeFedConfig", "kubefed", namespace, `{scope: Namespaced}`)
		patch := []byte(`{"spec":{"scope":"Namespaced"}}`)
		Expect(host.Patch(ctx, config, client.RawPatch("application/merge-patch+json", patch), client.DryRunAll)).To(MatchError(ContainSubstring("spec.scope cannot be changed")))
	})

	It("are taken as KubeFed's chart has them", func(ctx context.Context) {
		Expect(rejected(ctx, manifest("KubeFedConfig", "x", namespace, `{scope: Cluster,
  controllerDuration: {availableDelay: 20s, unavailableDelay: 60s, cacheSyncTimeout: 5m},
  leaderElect: {leaseDuration: 15s, renewDeadline: 10s, retryPeriod: 5s, resourceLock: configmaps},
  clusterHealthCheck: {period: 10s, failureThreshold: 3, successThreshold: 1, timeout: 3s},
  syncController: {maxConcurrentReconciles: 1, adoptResources: Enabled},
  statusController: {maxConcurrentReconciles: 1},
  featureGates: [{name: PushReconciler, configuration: Enabled}, {name: SchedulerPreferences, configuration: Enabled}]}`))).To(Succeed())
	})
})

var _ = DescribeTable("the backup API", func(ctx context.Context, kind, spec, message string) {
	object := parse(fmt.Sprintf("{apiVersion: backup.fedctl.io/v1alpha1, kind: %s, metadata: {name: x, namespace: default}, spec: %s}", kind, spec))
	if message == "" {
		Expect(rejected(ctx, object)).To(Succeed())
		return
	}
	Expect(rejected(ctx, object)).To(MatchError(ContainSubstring(message)))
},
	Entry("takes five cron fields", "Backup", `{schedule: "*/15 2-4 1,15 * MON-FRI", repositoryRef: {name: r}}`, ""),
	Entry("takes a macro", "Backup", `{schedule: "@daily", repositoryRef: {name: r}}`, ""),
	Entry("takes an interval", "Backup", `{schedule: "@every 1h30m", repositoryRef: {name: r}}`, ""),
	Entry("refuses four cron fields", "Backup", `{schedule: "* * * *", repositoryRef: {name: r}}`, "spec.schedule: Invalid value"),
	Entry("refuses an unknown macro", "Backup", `{schedule: "@often", repositoryRef: {name: r}}`, "must be five cron fields"),
	Entry("refuses a schedule that is missing", "Backup", `{repositoryRef: {name: r}}`, "spec.schedule: Required value"),
	Entry("refuses negative retention", "Backup", `{schedule: "@daily", repositoryRef: {name: r}, retention: {daily: -1}}`, "spec.retention.daily"),
	Entry("refuses a negative age", "Backup", `{schedule: "@daily", repositoryRef: {name: r}, retention: {maxAge: -1h}}`, "maxAge must be more than 0"),
	Entry("refuses two ways to verify", "Backup", `{schedule: "@daily", repositoryRef: {name: r}, verify: {everyRuns: 2, schedule: "@daily"}}`, "exclude each other"),
	Entry("refuses an unknown policy", "Backup", `{schedule: "@daily", repositoryRef: {name: r}, concurrencyPolicy: Perhaps}`, "spec.concurrencyPolicy: Unsupported value"),
	Entry("takes an S3 repository", "BackupRepository", `{s3: {bucket: abc, endpoint: "https://s3.example.com:9000"}, encryptionSecretRef: {name: s}}`, ""),
	Entry("refuses two places", "BackupRepository", `{s3: {bucket: abc}, filesystem: {path: /x}, encryptionSecretRef: {name: s}}`, "exactly one of s3, gcs, azure and filesystem"),
	Entry("refuses no place", "BackupRepository", `{encryptionSecretRef: {name: s}}`, "exactly one of s3, gcs, azure and filesystem"),
	Entry("refuses a path with ..", "BackupRepository", `{filesystem: {path: /x/../y}, encryptionSecretRef: {name: s}}`, "must be an absolute path"),
	Entry("refuses two runs to restore", "Restore", `{from: {repositoryRef: {name: r}, backup: b, run: x, latest: true}}`, "exactly one of run, latest and time"),
	Entry("takes a restore", "Restore", `{from: {repositoryRef: {name: r}, backup: b, latest: true}, transforms: [{resource: deployments.apps, patch: [{op: replace, path: /spec/replicas, value: 1}]}]}`, ""),
)

// waitForPolicies waits until the API server has taken notice of the policies.
func waitForPolicies(ctx context.Context) {
	GinkgoHelper()
	Eventually(func() error {
		return rejected(ctx, withOverrides("FederatedConfigMap", "probe", `[{clusterName: a, clusterOverrides: [{path: /kind, value: x}]}]`))
	}).Should(HaveOccurred())
	// It need not take notice of all of them at once.
	for _, rule := range []struct{ kind, spec, message string }{
		{"KubeFedCluster", `{apiEndpoint: "", secretRef: {name: s}}`, "spec.apiEndpoint must not be empty"},
		{"KubeFedConfig", `{scope: Galaxy}`, "spec.scope must be"},
		{"FederatedTypeConfig", `{propagation: Disabled, targetType: {group: x.io, version: v1, kind: Foo, pluralName: foos, scope: Namespaced}, ` +
			`federatedType: {group: "", version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced}}`, "spec.federatedType.group"},
	} {
		bad := parse(`{apiVersion: core.kubefed.io/v1beta1, kind: ` + rule.kind + `, metadata: {name: foos.x.io, namespace: ` + namespace + `}, spec: ` + rule.spec + `}`)
		Eventually(func() error { return rejected(ctx, bad) }).Should(MatchError(ContainSubstring(rule.message)))
	}
}
