package migrate_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/config"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/migrate/analysis"
)

func typeConfig(group, version, kind, plural, scope string) string {
	name := strings.TrimSuffix(plural+"."+group, ".")
	return fmt.Sprintf(`
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata: {name: %s, namespace: %s}
spec:
  propagation: Enabled
  targetType: {group: %q, version: %s, kind: %s, pluralName: %s, scope: %s}
  federatedType: {group: types.kubefed.io, version: v1beta1, kind: Federated%s, pluralName: federated%s, scope: Namespaced}
`, name, namespace, group, version, kind, plural, scope, kind, plural)
}

const clusters = `
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata: {name: berlin, namespace: kube-federation-system}
spec: {apiEndpoint: "https://berlin.example.com", proxyURL: "", secretRef: {name: berlin}}
status: {kubernetesVersion: v1.21.3, conditions: [{type: Ready, status: "True", reason: ClusterReady, message: /healthz responded with ok, lastProbeTime: "2030-01-01T00:00:00Z"}]}
---
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata: {name: paris, namespace: kube-federation-system}
spec: {apiEndpoint: "https://paris.example.com", proxyURL: "", secretRef: {name: paris}}
status: {conditions: [{type: Offline, status: "True", reason: ClusterNotReachable, message: cluster is not reachable, lastProbeTime: "2030-01-01T00:00:00Z"}]}
---
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedConfig
metadata: {name: kubefed, namespace: kube-federation-system}
spec:
  scope: Cluster
  leaderElect: {leaseDuration: 15s, renewDeadline: 10s, retryPeriod: 5s, resourceLock: configmaps}
  syncController: {adoptResources: Enabled}
  featureGates: [{name: PushReconciler, configuration: Enabled}]`

// good is what no one has anything against: KubeFed itself is not even running.
const good = `
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: settings, namespace: default}
spec: {template: {data: {a: b}}, placement: {clusters: [{name: berlin}]}, overrides: [{clusterName: berlin, clusterOverrides: [{path: /data/a, value: c}]}]}
status: {conditions: [{type: Propagation, status: "True"}]}`

// odd is what the check has to find.
const odd = `
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: typo, namespace: default}
spec: {template: {data: {a: b}}, placement: {clusters: [{name: berlln}]}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: bad-override, namespace: default}
spec: {template: {data: {a: b}}, overrides: [{clusterName: berlin, clusterOverrides: [{path: /metadata/name, value: c}]}]}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedIngress
metadata: {name: web, namespace: default}
spec: {template: {apiVersion: extensions/v1beta1, spec: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedSecret
metadata: {name: forgotten, namespace: default, finalizers: [kubefed.io/sync-controller]}
spec: {}
---
apiVersion: core.kubefed.io/v1alpha1
kind: PropagatedVersion
metadata: {name: configmap-settings, namespace: default}
---
apiVersion: scheduling.kubefed.io/v1alpha1
kind: ReplicaSchedulingPreference
metadata: {name: web, namespace: default}
spec: {targetKind: FederatedDeployment, totalReplicas: 3}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: mutation.core.kubefed.io}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: mutation.core.kubefed.io-another-namespace}`

// wrong is what KubeFed's definitions take, and no cluster does.
const wrong = `
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: typed, namespace: default}
spec: {template: {data: {port: 8080, tls: true, name: web}}, placement: {clusters: [{name: berlin}]}, overrides: [{clusterName: berlin, clusterOverrides: [{path: /data/name, value: 1}]}]}`

func findingsOf(report *analysis.Report) []string {
	var out []string
	for _, f := range report.Findings {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", f.Level, f.Code, f.Subject, strings.Join(f.Objects, ","))))
	}
	return out
}

var _ = Describe("fedctl migrate check", Ordered, func() {
	const legacy = `{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"kube-federation-system","kubernetes.io/serviceaccount/secret.name":"berlin-host-token-x1"}`

	report := func(ctx context.Context) (*analysis.Report, error) {
		GinkgoHelper()
		out, err := check(ctx, "-o", "json")
		r := &analysis.Report{}
		Expect(json.Unmarshal([]byte(out), r)).To(Succeed())
		return r, err
	}

	It("says where KubeFed's namespace is not", func(ctx SpecContext) {
		_, err := check(ctx, "--kubefed-namespace", "elsewhere")
		Expect(err).To(MatchError(ContainSubstring("no namespace elsewhere: choose the host with --host-cluster-context")))
		Expect(cmdutil.ExitCode(err)).To(Equal(1))
	})

	It("is ready where nothing blocks, and says what is taken over", func(ctx SpecContext) {
		create(ctx, typeConfig("", "v1", "Namespace", "namespaces", "Cluster"))
		create(ctx, typeConfig("", "v1", "ConfigMap", "configmaps", "Namespaced"))
		create(ctx, clusters)
		create(ctx, good)
		for name, claims := range map[string]string{"berlin": legacy, "paris": `{"iss":"x","exp":1}`} {
			token := "h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s"
			Expect(host.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, StringData: map[string]string{"token": token}})).To(Succeed())
		}
		r, err := report(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(r.Ready).To(BeTrue())
		Expect(r.Types).To(ConsistOf(
			analysis.Type{Name: "configmaps", FederatedType: "federatedconfigmaps.types.kubefed.io", Target: "v1 ConfigMap", Propagation: "Enabled", Status: "Disabled", Objects: 1},
			analysis.Type{Name: "namespaces", FederatedType: "federatednamespaces.types.kubefed.io", Target: "v1 Namespace", Propagation: "Enabled", Status: "Disabled"},
		))
		Expect(r.Clusters).To(Equal([]analysis.Cluster{
			{Name: "berlin", Ready: "True", Kubernetes: "v1.21.3", Endpoint: "https://berlin.example.com", Token: "never expires"},
			{Name: "paris", Ready: "False", Endpoint: "https://paris.example.com", Token: "expired 1970-01-01"},
		}))
		Expect(findingsOf(r)).To(ContainElements("note token-never-expires kubefedcluster berlin", "warning cluster-not-ready kubefedcluster paris", "warning token-expired kubefedcluster paris"))
		Expect(r.Findings).To(ContainElement(HaveField("Code", "crd-without-type"))) // those of the chart that no type uses
	})

	It("finds what is odd, and exits with 2", func(ctx SpecContext) {
		create(ctx, typeConfig("extensions", "v1beta1", "Ingress", "ingresses", "Namespaced"))
		create(ctx, typeConfig("example.com", "v1", "Widget", "widgets", "Namespaced"))
		create(ctx, odd)
		r, err := report(ctx)
		Expect(cmdutil.ExitCode(err)).To(Equal(2))
		Expect(r.Ready).To(BeFalse())
		Expect(findingsOf(r)).To(ContainElements(
			"blocks override-refused federatedconfigmaps.types.kubefed.io default/bad-override",
			"warning unknown-cluster federatedconfigmaps.types.kubefed.io default/typo",
			"warning target-gone federatedtypeconfig ingresses.extensions",
			"warning objects-without-type federatedsecrets.types.kubefed.io",
			"warning type-without-crd federatedtypeconfig widgets.example.com",
			"warning target-gone federatedtypeconfig widgets.example.com",
			"warning webhook-down",
			"note version-records propagatedversions",
		))
		Expect(r.Counts).To(Equal(map[string]int{"propagatedversions": 1, "replicaschedulingpreferences": 1}))
		Expect(r.KubeFed.WebhookConfigurations).To(Equal([]string{"mutatingwebhookconfigurations/mutation.core.kubefed.io"}))
		var commands []string
		for _, step := range r.Steps {
			commands = append(commands, step.Commands...)
		}
		Expect(commands).To(ContainElement("kubectl delete mutatingwebhookconfigurations mutation.core.kubefed.io"))
	})

	It("sees that KubeFed runs, by its Deployment or only by its lock", func(ctx SpecContext) {
		lock := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kubefed-controller-manager", Namespace: namespace, Annotations: map[string]string{
			"control-plane.alpha.kubernetes.io/leader": fmt.Sprintf(`{"holderIdentity":"pod_1","leaseDurationSeconds":3600,"renewTime":%q}`, time.Now().UTC().Format(time.RFC3339)),
		}}}
		Expect(host.Create(ctx, lock)).To(Succeed())
		r, err := report(ctx)
		Expect(cmdutil.ExitCode(err)).To(Equal(2))
		Expect(r.KubeFed.Leader).To(Equal("configmaps/pod_1"))
		Expect(findingsOf(r)).To(ContainElement("blocks controller-elsewhere configmaps/pod_1"))

		create(ctx, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: kubefed-controller-manager, namespace: kube-federation-system},
			spec: {replicas: 2, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: x, image: x}]}}}}`)
		r, _ = report(ctx)
		Expect(r.KubeFed.Controller).To(Equal("0/2"))
		Expect(findingsOf(r)).NotTo(ContainElement(ContainSubstring("controller-elsewhere")))
	})

	It("says the same as text and YAML, and never a token", func(ctx SpecContext) {
		text, err := check(ctx)
		Expect(cmdutil.ExitCode(err)).To(Equal(2))
		Expect(text).To(MatchRegexp(`BLOCKS override-refused: federatedconfigmaps.types.kubefed.io default/bad-override\n  cluster berlin: spec.overrides\[0\]`))
		Expect(text).To(ContainSubstring("Not ready for the move"))
		Expect(text).To(MatchRegexp(`berlin +True +v1.21.3 +never expires`))
		wide, _ := check(ctx, "-o", "wide")
		Expect(wide).To(MatchRegexp(`spec.leaderElect.resourceLock +configmaps +no effect`))
		asYAML, _ := check(ctx, "-o", "yaml")
		Expect(yaml.Unmarshal([]byte(asYAML), &analysis.Report{})).To(Succeed())
		for _, out := range []string{text, wide, asYAML} {
			Expect(out).NotTo(ContainSubstring(base64.RawURLEncoding.EncodeToString([]byte(legacy))))
		}
	})

	It("finds values that clusters and the schema to come refuse, and what to write instead", func(ctx SpecContext) {
		create(ctx, wrong)
		r, err := report(ctx)
		Expect(cmdutil.ExitCode(err)).To(Equal(2))
		var found []string
		for _, f := range r.Findings {
			if f.Code == "wrong-type" {
				Expect(f.Objects).To(Equal([]string{"default/typed"}))
				found = append(found, f.Message)
			}
		}
		Expect(found).To(ConsistOf(
			"spec.template.data[port] must be a string, is a number: put it in quotes",
			"spec.template.data[tls] must be a string, is a boolean: put it in quotes",
			"spec.overrides[0] makes what cluster berlin refuses: data[name] must be a string, is a number: put it in quotes",
		))

		By("putting the definition in place that an installation brings")
		content, err := config.Files.ReadFile("crd/types/federatedconfigmaps.types.kubefed.io.yaml")
		Expect(err).NotTo(HaveOccurred())
		ours, theirs := &unstructured.Unstructured{}, &unstructured.Unstructured{}
		Expect(yaml.Unmarshal(content, &ours.Object)).To(Succeed())
		theirs.SetGroupVersionKind(ours.GroupVersionKind())
		Expect(host.Get(ctx, client.ObjectKeyFromObject(ours), theirs)).To(Succeed())
		ours.SetResourceVersion(theirs.GetResourceVersion())
		Expect(host.Update(ctx, ours)).To(Succeed())
		written := func(data map[string]any) error {
			object := &unstructured.Unstructured{}
			Expect(yaml.Unmarshal([]byte(wrong), &object.Object)).To(Succeed())
			object.SetName("written-anew")
			Expect(unstructured.SetNestedMap(object.Object, data, "spec", "template", "data")).To(Succeed())
			return host.Create(ctx, object, client.DryRunAll)
		}
		Eventually(func() error { return written(map[string]any{"port": int64(8080), "tls": true}) }).Should(MatchError(And(
			ContainSubstring("spec.template.data.port"), ContainSubstring("spec.template.data.tls"))))
		Expect(written(map[string]any{"port": "8080", "tls": "true"})).To(Succeed())
	})

	It("says what it may not read, instead of leaving it out", func(ctx SpecContext) {
		role := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}}
		Expect(host.Get(ctx, client.ObjectKey{Name: "checker"}, role)).To(Succeed())
		rules, _, err := unstructured.NestedSlice(role.Object, "rules")
		Expect(err).NotTo(HaveOccurred())
		rules[0].(map[string]any)["resources"] = []any{"namespaces", "configmaps", "endpoints"}
		Expect(unstructured.SetNestedSlice(role.Object, rules, "rules")).To(Succeed())
		Expect(host.Update(ctx, role)).To(Succeed())
		Eventually(func(g Gomega) {
			r, err := report(ctx)
			g.Expect(cmdutil.ExitCode(err)).To(Equal(2))
			g.Expect(r.Findings).To(ContainElement(And(HaveField("Code", "unreadable"), HaveField("Message", ContainSubstring("Secret kube-federation-system/berlin")))))
		}).WithPolling(time.Second).Should(Succeed())
	})
})
