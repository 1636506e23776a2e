package preview

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
)

const hostNamespace = "kube-federation-system"

// host is what a host cluster holds beside the object that is looked at.
const host = `
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata: {name: deployments.apps, namespace: kube-federation-system}
spec:
  federatedType: {group: types.kubefed.io, kind: FederatedDeployment, pluralName: federateddeployments, scope: Namespaced, version: v1beta1}
  propagation: Enabled
  targetType: {group: apps, kind: Deployment, pluralName: deployments, scope: Namespaced, version: v1}
---
apiVersion: core.kubefed.io/v1beta1
kind: FederatedTypeConfig
metadata: {name: namespaces, namespace: kube-federation-system}
spec:
  federatedType: {group: types.kubefed.io, kind: FederatedNamespace, pluralName: federatednamespaces, scope: Namespaced, version: v1beta1}
  propagation: Enabled
  targetType: {kind: Namespace, pluralName: namespaces, scope: Cluster, version: v1}
---
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata: {name: berlin, namespace: kube-federation-system, labels: {region: eu}}
spec: {apiEndpoint: "https://berlin.example.com", secretRef: {name: berlin-token}}
status: {kubernetesVersion: v1.36.1, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata: {name: oslo, namespace: kube-federation-system, labels: {region: eu}}
spec: {apiEndpoint: "https://oslo.example.com", secretRef: {name: oslo-token}}
---
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata: {name: elsewhere, namespace: another-control-plane, labels: {region: eu}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata: {name: shop, namespace: shop}
spec: {placement: {clusterSelector: {}}}
`

const web = `
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      replicas: 2
      template: {spec: {containers: [{name: web, image: "web:1"}]}}
  placement: {clusterSelector: {matchLabels: {region: eu}}}
  overrides:
  - clusterName: oslo
    clusterOverrides:
    - {path: /spec/replicas, value: 5}
    - {op: add, path: /metadata/annotations, value: {example.com/team: shop}}
    - {op: add, path: /metadata/annotations/example.com~1team, value: cart}
`

func objects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, document := range strings.Split(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		data, err := yaml.YAMLToJSON([]byte(document))
		if err == nil {
			err = object.UnmarshalJSON(data)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object)
	}
	return all
}

func previewOf(t *testing.T, host, object string) *Preview {
	t.Helper()
	facts, err := FromObjects(objects(t, host), hostNamespace)
	if err != nil {
		t.Fatal(err)
	}
	p, err := facts.Of(objects(t, object)[0])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlacement(t *testing.T) {
	tests := []struct {
		name, host, object, want, problem string
	}{
		{name: "selected by label, also where not ready", host: host, object: web, want: "berlin+ oslo+"},
		{name: "named, one of them unknown", host: host, object: strings.Replace(web, "clusterSelector: {matchLabels: {region: eu}}", "clusters: [{name: oslo}, {name: rome}]", 1), want: "berlin- oslo+ rome-"},
		{name: "the namespace is not placed", host: strings.Replace(host, "clusterSelector: {}", "clusters: [{name: berlin}]", 1), object: web, want: "berlin+ oslo-"},
		{name: "the namespace is not federated", host: strings.Replace(host, "namespace: shop", "namespace: other", 1), object: web, want: "berlin- oslo-",
			problem: "namespace shop has no FederatedNamespace shop/shop"},
		{name: "namespaces are not enabled", host: strings.Replace(host, "name: namespaces", "name: others", 1), object: web,
			problem: "the type namespaces is not enabled"},
		{name: "a placement that cannot be read", host: host, object: strings.Replace(web, "{clusterSelector: {matchLabels: {region: eu}}}", "berlin", 1),
			problem: "spec.placement"},
		{name: "an object that is being deleted", host: host, object: strings.Replace(web, "namespace: shop}", "namespace: shop, deletionTimestamp: \"2026-01-01T00:00:00Z\"}", 1),
			want: "berlin+ oslo+", problem: "it is being deleted"},
		{name: "a namespace that is never federated", host: host,
			object:  "{apiVersion: types.kubefed.io/v1beta1, kind: FederatedNamespace, metadata: {name: kube-system, namespace: kube-system}, spec: {placement: {clusterSelector: {}}}}",
			problem: "the Namespace kube-system is never federated itself"},
		{name: "a template that cannot be an object", host: host, object: strings.Replace(web, "  template:\n    spec:\n      replicas: 2", "  template:\n    metadata: 7\n    spec:\n      replicas: 2", 1),
			want: "berlin+ oslo+", problem: "spec.template.metadata"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := previewOf(t, tt.host, tt.object)
			var got []string
			for _, cluster := range p.Clusters {
				mark := "-"
				if cluster.Selected {
					mark = "+"
				}
				got = append(got, cluster.Cluster+mark)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got clusters %v, want %s", got, tt.want)
			}
			if (p.Problem == "") != (tt.problem == "") || !strings.Contains(p.Problem, tt.problem) {
				t.Errorf("got problem %q, want %q", p.Problem, tt.problem)
			}
		})
	}
}

const gpus = `
apiVersion: policy.fedctl.io/v1alpha1
kind: ClusterOverridePolicy
metadata: {name: gpus}
spec: {rules: [{deriveTolerations: {}}]}
---
apiVersion: cluster.fedctl.io/v1alpha1
kind: ClusterCapacity
metadata: {name: berlin, namespace: kube-federation-system}
status:
  conditions: [{type: Known, status: "True", reason: Followed, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]
  pools:
  - {resource: nvidia.com/gpu, nodes: 2, largestNode: 8, taints: [{key: nvidia.com/gpu, value: present, effect: NoSchedule, meaning: Hardware}]}
`

// What a policy changes is told as what the object itself changes is, and a cluster of
// which nothing is known is told apart.
func TestPolicies(t *testing.T) {
	train := strings.Replace(web, `image: "web:1"`, `image: "web:1", resources: {limits: {nvidia.com/gpu: 1}}`, 1)
	p := previewOf(t, strings.TrimSuffix(host, "\n")+"\n---"+gpus, train)
	want := []Change{{
		Field: "spec.template.spec.tolerations", Origin: "ClusterOverridePolicy gpus: spec.rules[0]",
		After:   []any{map[string]any{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}},
		Because: []string{"derived from nvidia.com/gpu=present:NoSchedule of 2 nodes (nvidia.com/gpu)"},
	}}
	if got := p.Changes("berlin"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
	if err := p.Clusters[1].Err; err == nil || !strings.Contains(err.Error(), "the nodes of cluster oslo have not been read yet") {
		t.Errorf("oslo: got %v", err)
	}
}

func TestChanges(t *testing.T) {
	p := previewOf(t, host, web)
	if changes := p.Changes("berlin"); len(changes) != 0 {
		t.Errorf("berlin has no overrides, but %v", changes)
	}
	want := []Change{
		{Field: "spec.replicas", Before: int64(2), After: int64(5), Origin: "spec.overrides[0].clusterOverrides[0]"},
		{Field: "metadata.annotations", After: map[string]any{"example.com/team": "shop"}, Origin: "spec.overrides[0].clusterOverrides[1]"},
		{Field: "metadata.annotations[example.com/team]", Before: "shop", After: "cart", Origin: "spec.overrides[0].clusterOverrides[2]"},
	}
	if got := p.Changes("oslo"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
	replicas, _, _ := unstructured.NestedInt64(p.Clusters[1].Object.Object, "spec", "replicas")
	if replicas != 5 {
		t.Errorf("oslo gets %d replicas", replicas)
	}
}

func TestAnOverrideThatFailsConcernsItsClusterAlone(t *testing.T) {
	p := previewOf(t, host, strings.Replace(web, "/metadata/annotations/example.com~1team, value: cart", "/spec/nothing/here, value: cart", 1))
	if p.Clusters[0].Object == nil || p.Clusters[0].Err != nil {
		t.Errorf("berlin: %v", p.Clusters[0].Err)
	}
	if p.Clusters[1].Object != nil || p.Clusters[1].Err == nil || !strings.Contains(p.Clusters[1].Err.Error(), "spec.overrides[0].clusterOverrides[2]") {
		t.Errorf("oslo: %v, %v", p.Clusters[1].Object, p.Clusters[1].Err)
	}
}

// What has been written to a file decides as what it was read from, and holds no
// addresses and no names of Secrets.
func TestFactsFromAFile(t *testing.T) {
	facts, err := FromObjects(objects(t, host), hostNamespace)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, object := range facts.Objects {
		data, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, string(data))
	}
	file := strings.Join(text, "\n---\n")
	for _, hidden := range []string{"example.com", "-token"} {
		if strings.Contains(file, hidden) {
			t.Errorf("the file holds %q:\n%s", hidden, file)
		}
	}
	if !strings.Contains(file, "kubernetesVersion: v1.36.1") {
		t.Errorf("the file holds no versions:\n%s", file)
	}
	before, after := previewOf(t, host, web), previewOf(t, file, web)
	for i := range before.Clusters {
		if b, a := before.Clusters[i], after.Clusters[i]; b.Reason != a.Reason || b.Selected != a.Selected || !reflect.DeepEqual(b.Object, a.Object) {
			t.Errorf("%s: %v before, %v after", b.Cluster, b, a)
		}
	}
}

func TestAnObjectOfNoFederatedType(t *testing.T) {
	facts, err := FromObjects(objects(t, host), hostNamespace)
	if err != nil {
		t.Fatal(err)
	}
	_, err = facts.Of(objects(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}")[0])
	if err == nil || !strings.Contains(err.Error(), "ConfigMap") {
		t.Errorf("got %v", err)
	}
}

func TestWhatClustersRefuseIsWarnedOf(t *testing.T) {
	data, err := os.ReadFile("../../hack/generate/openapi/apps_v1.json")
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := definition.ParseDefinitions(data)
	if err != nil {
		t.Fatal(err)
	}
	object := strings.Replace(web, "replicas: 2", "replicas: \"2\"\n      pause: true", 1)
	p := previewOf(t, host, strings.Replace(object, "{path: /spec/replicas, value: 5}", "{path: /spec/paused, value: 1}", 1))
	p.Judge(definition.PublishedOf(definitions, p.Type.Target.GVK))
	want := []string{
		"fields that the host does not know, and members of its version leave out: spec.pause",
		"oslo: spec.paused must be true or false, is a number; the host refuses it, and so do members of its version",
		"spec.replicas must be a whole number, is a string: write it without quotes; the host refuses it, and so do members of its version",
	}
	if !reflect.DeepEqual(p.Warnings, want) {
		t.Errorf("warnings: %q", p.Warnings)
	}
}
