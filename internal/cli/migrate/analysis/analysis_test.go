package analysis

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/finding"
	"github.com/fedctl/fedctl/pkg/federate"
)

var now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

var served = Served{Kinds: map[schema.GroupVersionKind]bool{
	{Version: "v1", Kind: "Namespace"}:                           true,
	{Version: "v1", Kind: "ConfigMap"}:                           true,
	{Group: "apps", Version: "v1", Kind: "Deployment"}:           true,
	{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}: true,
}, Incomplete: map[string]bool{"down.example.com": true}}

// federatedType is a FederatedTypeConfig and its CRD.
func federatedType(group, version, kind, plural string) (fedcorev1beta1.FederatedTypeConfig, CRD) {
	name := plural
	if group != "" {
		name += "." + group
	}
	federated := fedcorev1beta1.APIResource{Group: "types.kubefed.io", Version: "v1beta1", Kind: "Federated" + kind, PluralName: "federated" + plural, Scope: "Namespaced"}
	config := fedcorev1beta1.FederatedTypeConfig{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kf"},
		Spec: fedcorev1beta1.FederatedTypeConfigSpec{
			TargetType:    fedcorev1beta1.APIResource{Group: group, Version: version, Kind: kind, PluralName: plural, Scope: "Namespaced"},
			Propagation:   fedcorev1beta1.PropagationEnabled,
			FederatedType: federated,
		},
	}
	return config, CRD{Name: federated.PluralName + ".types.kubefed.io", Group: federated.Group, Plural: federated.PluralName, Kind: federated.Kind, Version: "v1beta1", Namespaced: true, KnowsTemplate: true}
}

func token(claims string) []byte {
	encode := base64.RawURLEncoding.EncodeToString
	return []byte(encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("signature")))
}

func secret(claims string) *corev1.Secret {
	return &corev1.Secret{Data: map[string][]byte{"token": token(claims)}}
}

func cluster(name string, ready corev1.ConditionStatus) fedcorev1beta1.KubeFedCluster {
	return fedcorev1beta1.KubeFedCluster{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "https://" + name, SecretRef: fedcorev1beta1.LocalSecretReference{Name: name}},
		Status:     fedcorev1beta1.KubeFedClusterStatus{Conditions: []fedcorev1beta1.ClusterCondition{{Type: fedcommon.ClusterReady, Status: ready}}},
	}
}

// healthy is a host about which there is nothing to say.
func healthy() Input {
	in := Input{
		Namespace: "kf", Now: now, Served: served,
		Clusters:    []fedcorev1beta1.KubeFedCluster{cluster("a", corev1.ConditionTrue)},
		Secrets:     map[string]*corev1.Secret{"a": secret(fmt.Sprintf(`{"iss":"x","exp":%d}`, now.AddDate(1, 0, 0).Unix()))},
		Config:      &fedcorev1beta1.KubeFedConfig{ObjectMeta: metav1.ObjectMeta{Name: "kubefed"}, Spec: fedcorev1beta1.KubeFedConfigSpec{Scope: "Cluster"}},
		Objects:     map[string]*Objects{},
		Deployments: []Deployment{{Name: KubeFedController, Want: 2, Ready: 2}},
	}
	for _, t := range [][4]string{{"", "v1", "Namespace", "namespaces"}, {"", "v1", "ConfigMap", "configmaps"}} {
		config, crd := federatedType(t[0], t[1], t[2], t[3])
		in.Types, in.CRDs = append(in.Types, config), append(in.CRDs, crd)
	}
	return in
}

func TestAnalyze(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Input)
		// want are findings as "level code: a part of the rest".
		want []string
	}{
		{name: "nothing to say"},
		{"something could not be read", func(in *Input) { in.Unreadable = []string{"reading Secret kf/a: forbidden"} }, []string{"blocks unreadable: forbidden"}},
		{"both controllers", func(in *Input) {
			in.Deployments = append(in.Deployments, Deployment{Name: FedctlController, Want: 1})
		}, []string{"blocks two-controllers: undo each other"}},
		{"fedctl alone", func(in *Input) { in.Deployments = []Deployment{{Name: FedctlController, Want: 2, Ready: 2}} }, nil},
		{"KubeFed outside of the cluster", func(in *Input) {
			in.Deployments = nil
			in.Locks = []Lock{{Resource: "configmaps", Holder: "laptop_1", Renewed: now.Add(-10 * time.Second), Duration: 15 * time.Second}}
		}, []string{"blocks controller-elsewhere: configmaps/laptop_1"}},
		{"KubeFed stopped long ago", func(in *Input) {
			in.Deployments = []Deployment{{Name: KubeFedController}}
			in.Locks = []Lock{{Resource: "leases", Holder: "pod_1", Renewed: now.Add(-time.Hour), Duration: 15 * time.Second}}
		}, nil},
		{"webhook without a Pod", func(in *Input) {
			in.Webhooks = []Webhook{{"validatingwebhookconfigurations", "validations.core.kubefed.io"}}
		}, []string{"warning webhook-down"}},
		{"webhook that works", func(in *Input) {
			in.Webhooks = []Webhook{{"validatingwebhookconfigurations", "validations.core.kubefed.io"}}
			in.Deployments = append(in.Deployments, Deployment{Name: KubeFedWebhook, Want: 1, Ready: 1})
		}, nil},
		{"no KubeFedConfig", func(in *Input) { in.Config = nil }, []string{"warning no-config"}},
		{"a KubeFedConfig that may not be read", func(in *Input) {
			in.Config, in.ConfigUnread = nil, true
			in.Unreadable = []string{"reading KubeFedConfig kf/kubefed: forbidden"}
		}, []string{"blocks unreadable: KubeFedConfig"}},
		{"a KubeFedConfig we do not start with", func(in *Input) { in.ConfigError = "retry-period too long" }, []string{"blocks config-invalid: retry-period too long"}},
		{"no clusters", func(in *Input) { in.Clusters = nil }, []string{"warning no-clusters"}},
		{"an unready cluster", func(in *Input) { in.Clusters[0].Status.Conditions[0].Status = corev1.ConditionFalse }, []string{"warning cluster-not-ready: fedctl unjoin a --force"}},
		{"an offline cluster, as KubeFed writes it", func(in *Input) {
			in.Clusters[0].Status.Conditions[0] = fedcorev1beta1.ClusterCondition{Type: fedcommon.ClusterOffline, Status: corev1.ConditionTrue}
		}, []string{"warning cluster-not-ready"}},
		{"no endpoint", func(in *Input) { in.Clusters[0].Spec.APIEndpoint = "" }, []string{"blocks cluster-without-endpoint"}},
		{"no Secret", func(in *Input) { in.Secrets["a"] = nil }, []string{"warning cluster-without-secret: does not exist"}},
		{"no token", func(in *Input) { in.Secrets["a"] = &corev1.Secret{} }, []string{"warning cluster-without-secret: has no token"}},
		{"Secret not readable", func(in *Input) { delete(in.Secrets, "a") }, nil},
		{"a legacy token", func(in *Input) {
			in.Secrets["a"] = secret(`{"iss":"kubernetes/serviceaccount","kubernetes.io/serviceaccount/namespace":"kf","kubernetes.io/serviceaccount/secret.name":"a-token-x"}`)
		}, []string{"note token-never-expires: Secret kf/a-token-x in the member"}},
		{"an expired token", func(in *Input) { in.Secrets["a"] = secret(`{"iss":"x","exp":1}`) }, []string{"warning token-expired: 1970-01-01"}},
		{"a token that expires soon", func(in *Input) {
			in.Secrets["a"] = secret(fmt.Sprintf(`{"iss":"x","exp":%d}`, now.AddDate(0, 0, 7).Unix()))
		}, []string{"warning token-expires: 2030-01-08"}},
		{"a token that is none", func(in *Input) { in.Secrets["a"].Data["token"] = []byte("a.!.c") }, []string{"note token-unknown"}},
		{"no types", func(in *Input) { in.Types, in.CRDs = nil, nil }, []string{"warning no-types"}},
		{"an invalid type", func(in *Input) { in.Types[1].Spec.FederatedType.Group = "nodots" }, []string{"blocks type-invalid: at least one dot", "note crd-without-type: federatedconfigmaps"}},
		{"namespaces not enabled", func(in *Input) { in.Types, in.CRDs = in.Types[1:], in.CRDs[1:] }, []string{"blocks namespaces-not-enabled"}},
		{"namespaces not enabled in scope Namespaced", func(in *Input) {
			in.Types, in.CRDs, in.Config.Spec.Scope = in.Types[1:], in.CRDs[1:], "Namespaced"
		}, nil},
		{"two types with one federated type", func(in *Input) {
			config, _ := federatedType("a.example.com", "v1", "ConfigMap", "configmaps")
			in.Served = Served{Kinds: map[schema.GroupVersionKind]bool{{Group: "a.example.com", Version: "v1", Kind: "ConfigMap"}: true}, Incomplete: map[string]bool{"": true}}
			in.Types = append(in.Types, config)
		}, []string{"blocks type-conflict: configmaps does"}},
		{"a type without its CRD", func(in *Input) { in.CRDs = in.CRDs[:1] }, []string{"warning type-without-crd: fedctl enable configmaps"}},
		{"a CRD in deletion", func(in *Input) { in.CRDs[1].Deleting = true }, []string{"warning crd-deleting"}},
		{"KubeFed's schema", func(in *Input) { in.CRDs[1].KnowsTemplate = false }, []string{"note schema-unknown"}},
		{"a type in deletion", func(in *Input) { in.Types[1].DeletionTimestamp = &metav1.Time{Time: now} }, []string{"warning type-deleting"}},
		{"propagation switched off", func(in *Input) { in.Types[1].Spec.Propagation = "Disabled" }, []string{"note propagation-disabled"}},
		{"a target no longer served", func(in *Input) {
			config, crd := federatedType("extensions", "v1beta1", "Ingress", "ingresses")
			in.Types, in.CRDs = append(in.Types, config), append(in.CRDs, crd)
		}, []string{`warning target-gone: extensions/v1beta1 Ingress (Kubernetes has not since 1.22)`}},
		{"a target whose server is down", func(in *Input) {
			config, crd := federatedType("down.example.com", "v1", "Widget", "widgets")
			in.Types, in.CRDs = append(in.Types, config), append(in.CRDs, crd)
		}, nil},
		{"a federated type without a FederatedTypeConfig", func(in *Input) {
			_, crd := federatedType("", "v1", "Secret", "secrets")
			in.CRDs = append(in.CRDs, crd)
		}, []string{"note crd-without-type: federatedsecrets"}},
		{"objects without a FederatedTypeConfig", func(in *Input) {
			_, crd := federatedType("", "v1", "Secret", "secrets")
			in.CRDs = append(in.CRDs, crd)
			in.Objects[crd.Name] = &Objects{Count: 3, Held: 2}
		}, []string{"warning objects-without-type: of 2 of them"}},
		{"version records", func(in *Input) {
			in.Counts = map[string]int{"propagatedversions": 7, "replicaschedulingpreferences": 0}
		}, []string{"note version-records: 7"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := healthy()
			if test.change != nil {
				test.change(&in)
			}
			report := Analyze(in)
			compare(t, report.Findings, test.want)
			blocked := slices.ContainsFunc(test.want, func(s string) bool { return strings.HasPrefix(s, "blocks") })
			if report.Ready == blocked {
				t.Errorf("ready is %v", report.Ready)
			}
		})
	}
}

// compare checks the findings, in any order.
func compare(t *testing.T, got []finding.Finding, want []string) {
	t.Helper()
	var lines []string
	for _, f := range got {
		lines = append(lines, fmt.Sprintf("%s %s: %s %v %s | %s", f.Level, f.Code, f.Subject, f.Objects, f.Message, f.Do))
	}
	for _, w := range want {
		head, part, _ := strings.Cut(w, ": ")
		i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, head+":") && strings.Contains(line, part) })
		if i < 0 {
			t.Errorf("no finding %q in:\n%s", w, strings.Join(lines, "\n"))
			continue
		}
		lines = slices.Delete(lines, i, i+1)
	}
	if len(lines) > 0 {
		t.Errorf("not wanted:\n%s", strings.Join(lines, "\n"))
	}
}

func TestObjects(t *testing.T) {
	target := federate.Target{GVK: schema.GroupVersionKind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, Namespaced: true}
	for _, test := range []struct {
		name, spec string
		want       []string
	}{
		{"nothing to say", `{template: {spec: {}}, placement: {clusters: [{name: a}]}}`, nil},
		{"no placement", `{template: {}}`, nil},
		{"a version no longer served", `{template: {apiVersion: extensions/v1beta1}}`, []string{"warning template-version-gone: [ns/x] spec.template: the host does not serve extensions/v1beta1 Ingress (Kubernetes has not since 1.22)"}},
		{"another version that is not served", `{template: {apiVersion: networking.k8s.io/v2}}`, []string{"warning template-version-gone: networking.k8s.io/v2 Ingress |"}},
		{"another kind", `{template: {kind: ingress}}`, []string{"note partly-ignored: spec.template.kind: \"ingress\" has no effect, the kind is Ingress"}},
		{"another group", `{template: {apiVersion: apps/v1, kind: Deployment}}`, []string{"warning template-version-gone"}},
		{"unknown clusters, each named once", `{placement: {clusters: [{name: z}, {name: a}, {name: w}]}, overrides: [{clusterName: z}]}`,
			[]string{"warning unknown-cluster: spec.placement.clusters names what has not joined: w, z", "warning unknown-cluster: spec.overrides names what has not joined: z"}},
		{"an override that fits", `{template: {spec: {x: 1}}, overrides: [{clusterName: a, clusterOverrides: [{path: /spec/x, value: 2}]}]}`, nil},
		{"an override that is refused", `{template: {spec: {}}, overrides: [{clusterName: a, clusterOverrides: [{path: /spec/rules/0, op: remove}]}]}`,
			[]string{"blocks override-refused: spec.overrides[0].clusterOverrides[0]"}},
		{"the same of a cluster that has not joined", `{overrides: [{clusterName: z, clusterOverrides: [{path: /spec/rules/-1, op: remove}]}]}`, []string{"warning unknown-cluster"}},
		{"an unreadable placement", `{placement: {clusters: a}}`, []string{"blocks object-unreadable: spec.placement.clusters: must be a list"}},
		{"owners in a template", `{template: {metadata: {ownerReferences: [{name: x}]}}}`, []string{"note partly-ignored: ownerReferences"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := NewObjects("federatedingresses.types.kubefed.io", &target, []string{"a"}, served, now)
			objects.Add(object(t, "{metadata: {name: x, namespace: ns}, spec: "+test.spec+"}"))
			compare(t, objects.findings, test.want)
		})
	}
}

func TestObjectsAreCountedAndMerged(t *testing.T) {
	target := federate.Target{GVK: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Namespaced: true}
	objects := NewObjects("federatedconfigmaps.types.kubefed.io", &target, nil, served, now)
	for i := range 3 {
		objects.Add(object(t, fmt.Sprintf(`{metadata: {name: x%d, namespace: ns, finalizers: [kubefed.io/sync-controller], deletionTimestamp: "2030-01-01T11:%d9:00Z"},
			status: {conditions: [{type: Propagation, status: "False", reason: CheckClusters}]}}`, i, 3+i)))
	}
	objects.Add(object(t, `{metadata: {name: y, namespace: ns}, status: {conditions: [{type: Propagation, status: "True"}]}}`))
	if objects.Count != 4 || objects.NotPropagated != 3 || objects.Held != 3 {
		t.Errorf("count %d, not propagated %d, held %d", objects.Count, objects.NotPropagated, objects.Held)
	}
	compare(t, finding.Merge(objects.findings), []string{
		"note not-propagated: [ns/x0 ns/x1 ns/x2] KubeFed has not propagated it everywhere: CheckClusters",
		"warning deletion-stuck: [ns/x0 ns/x1]", // x2 only for a minute
	})
}

func object(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestSteps(t *testing.T) {
	in := healthy()
	in.Webhooks = []Webhook{{"validatingwebhookconfigurations", "validations.core.kubefed.io"}}
	in.Deployments = append(in.Deployments, Deployment{Name: KubeFedWebhook, Want: 1, Ready: 1})
	var commands []string
	for _, step := range Analyze(in).Steps {
		commands = append(commands, step.Commands...)
	}
	order := []string{"get kubefedclusters", "scale deployment kubefed-controller-manager --replicas 0", "wait --for=delete pod", "delete validatingwebhookconfigurations validations.core.kubefed.io", "fedctl install", "fedctl join a ", "fedctl get clusters", "fedctl status -A"}
	if len(commands) != len(order) {
		t.Fatalf("commands:\n%s", strings.Join(commands, "\n"))
	}
	for i := range order {
		if !strings.Contains(commands[i], order[i]) {
			t.Errorf("command %d is %q, want %q", i, commands[i], order[i])
		}
	}
	in.Deployments, in.Webhooks = nil, nil
	if first := Analyze(in).Steps[1].Commands[0]; !strings.HasPrefix(first, "fedctl install") {
		t.Errorf("where nothing of KubeFed runs, the second step is %q", first)
	}
}

func TestSettings(t *testing.T) {
	in := healthy()
	lock, adopt, n := fedcorev1beta1.ConfigMapsResourceLock, fedcorev1beta1.AdoptResourcesDisabled, int64(5)
	in.Config.Spec.LeaderElect = &fedcorev1beta1.LeaderElectConfig{ResourceLock: &lock, RetryPeriod: &metav1.Duration{Duration: time.Second}}
	in.Config.Spec.SyncController = &fedcorev1beta1.SyncControllerConfig{AdoptResources: &adopt, MaxConcurrentReconciles: &n}
	in.Config.Spec.FeatureGates = []fedcorev1beta1.FeatureGatesConfig{{Name: "PushReconciler", Configuration: "Disabled"}, {Name: "Other", Configuration: "Enabled"}}
	effects := map[string]string{}
	for _, s := range Analyze(in).Settings {
		effects[s.Field+"="+s.Value] = s.Effect
	}
	for field, part := range map[string]string{
		"spec.scope=Cluster":                            "as in KubeFed",
		"spec.leaderElect.resourceLock=configmaps":      "no effect: the controllers elect their leader by a Lease",
		"spec.leaderElect.retryPeriod=1s":               "as in KubeFed",
		"spec.syncController.adoptResources=Disabled":   "as in KubeFed",
		"spec.syncController.maxConcurrentReconciles=5": "no effect",
		"spec.featureGates[0]=PushReconciler=Disabled":  "as in KubeFed",
		"spec.featureGates[1]=Other=Enabled":            "no effect: there is no gate",
	} {
		if !strings.Contains(effects[field], part) {
			t.Errorf("%s: %q, want %q", field, effects[field], part)
		}
	}
	if len(effects) != 7 {
		t.Errorf("settings: %v", effects)
	}
}
