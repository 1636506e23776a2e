package previews

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
)

func objectOf(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return object
}

// What an API server refuses of a federated object is refused of a file; what templates hold is
// judged by the type of the members' objects.
func TestFieldsOfFederatedObjects(t *testing.T) {
	federated := schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedDeployment"}
	published := definition.DefinedOf(typeconfig.Type{
		Federated: typeconfig.Resource{GVK: federated, GVR: federated.GroupVersion().WithResource("federateddeployments"), Namespaced: true},
		Target:    typeconfig.Resource{GVK: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespaced: true},
	})
	const head = "{apiVersion: types.kubefed.io/v1beta1, kind: FederatedDeployment, metadata: {name: web, namespace: shop, labels: {a: b}, creationTimestamp: null}, "
	for _, tt := range []struct{ object, want string }{
		{head + "spec: {retainReplicas: true, template: {spec: {anything: goes}}, placement: {clusters: [{name: a}], clusterSelector: {matchLabels: {a: b}}}, overrides: [{clusterName: a, clusterOverrides: [{op: add, path: /spec, value: {any: thing}}]}]}, status: {any: thing}}", ""},
		{head + "spec: {template: {}, placement: {cluster: [{name: a}]}}}", "FederatedDeployment shop/web: there is no field spec.placement.cluster"},
		{head + "spec: {template: {}, placement: {clusterSelector: {matchLabel: {a: b}}}, override: []}, specs: {}}", "there is no field spec.override, spec.placement.clusterSelector.matchLabel, specs"},
		{head + "spec: {overrides: [{clusterName: a, clusterOverrides: [{op: add, path: /a, val: 1}]}, {cluster: b}]}}", "there is no field spec.overrides[0].clusterOverrides[0].val, spec.overrides[1].cluster"},
		{head + "spec: {placement: {clusters: [a]}}}", "spec.placement.clusters[0] must be an object, is a string"},
		{strings.Replace(head, "a: b", "a: 1", 1) + "spec: {}}", "metadata.labels[a] must be a string, is a number: put it in quotes"},
		{strings.Replace(head, "labels:", "lables:", 1) + "spec: {}}", "there is no field metadata.lables"},
	} {
		err := checkFederated(objectOf(t, tt.object), published)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.object, err, tt.want)
		}
	}
}

func TestPoliciesOfFiles(t *testing.T) {
	for _, tt := range []struct{ rule, want string }{
		{"{replicas: 1}", ""},
		{"{replica: 1}", `unknown field "spec.rules[0].replica"`},
		{"{clusters: {kubernetesVersion: new}}", "OverridePolicy shop/p: spec.rules[0].clusters.kubernetesVersion: is no range of versions"},
	} {
		err := checkPolicy(objectOf(t, "{apiVersion: policy.fedctl.io/v1alpha1, kind: OverridePolicy, metadata: {name: p, namespace: shop}, spec: {rules: ["+tt.rule+"]}}"))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.rule, err, tt.want)
		}
	}
}
