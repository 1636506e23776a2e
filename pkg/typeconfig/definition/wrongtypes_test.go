package definition

import (
	"os"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

func TestWrongTypes(t *testing.T) {
	configMaps, deployments := published(t, "core_v1", "", "ConfigMap"), published(t, "apps_v1", "apps", "Deployment")
	for _, test := range []struct {
		of       *Published
		template string
		want     []string
	}{
		{configMaps, `{apiVersion: v1, kind: ConfigMap, data: {a: "1", b: null}, immutable: true, metadata: {labels: {x: z}, generation: 3}}`, nil},
		{configMaps, `{data: {port: 8080, enabled: true, list: [a]}, immutable: "true", spec: 1}`, []string{
			"data[enabled] must be a string, is a boolean: put it in quotes", "data[list] must be a string, is a list", "data[port] must be a string, is a number: put it in quotes",
			"immutable must be true or false, is a string: write it without quotes",
		}},
		{configMaps, `{data: text, metadata: {labels: {x: 1}, annotations: {a.example/b: 1.5}}}`, []string{
			"data must be an object, is a string", "metadata.annotations[a.example/b] must be a string, is a number: put it in quotes", "metadata.labels[x] must be a string, is a number: put it in quotes",
		}},
		{deployments, `spec: {replicas: 2.0, template: {metadata: {labels: {x: z}}, spec: {containers: [{resources: {limits: {cpu: 1, memory: 1Gi}}, livenessProbe: {httpGet: {port: http}}}]}}}`, nil},
		{deployments, `spec: {replicas: "3", template: {spec: {containers: [{}, {env: [{name: A, value: 5}], args: [1], livenessProbe: {httpGet: {port: 1.5}}}], hostNetwork: 1}}}`, []string{
			"spec.replicas must be a whole number, is a string: write it without quotes",
			"spec.template.spec.containers[1].args[0] must be a string, is a number: put it in quotes",
			"spec.template.spec.containers[1].env[0].value must be a string, is a number: put it in quotes",
			"spec.template.spec.containers[1].livenessProbe.httpGet.port must be a whole number or a string, is a number",
			"spec.template.spec.hostNetwork must be true or false, is a number",
		}},
		{deployments, `{spec: {replicas: 1.5, template: {spec: {containers: {name: x}}}}, status: {replicas: x}}`, []string{
			"spec.replicas must be a whole number, is a number", "spec.template.spec.containers must be a list, is an object",
		}},
	} {
		if got := test.of.WrongTypes(parsed(t, test.template)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q", test.template, got)
		}
	}
}

// published is a kind of an API server's group and version v1.
func published(t *testing.T, document, group, kind string) *Published {
	t.Helper()
	data, err := os.ReadFile("../../../hack/generate/openapi/" + document + ".json")
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := ParseDefinitions(data)
	if err != nil {
		t.Fatal(err)
	}
	return PublishedOf(definitions, schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind})
}

func parsed(t *testing.T, manifest string) map[string]any {
	t.Helper()
	object := map[string]any{}
	if err := yaml.Unmarshal([]byte(manifest), &object); err != nil {
		t.Fatal(err)
	}
	return object
}
