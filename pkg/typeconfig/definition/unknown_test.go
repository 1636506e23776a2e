package definition

import (
	"os"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

func TestUnknownFields(t *testing.T) {
	data, err := os.ReadFile("../../../hack/generate/openapi/apps_v1.json")
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := ParseDefinitions(data)
	if err != nil {
		t.Fatal(err)
	}
	for template, want := range map[string][]string{
		"spec: {replicas: 1, strategy: {rollingUpdate: {maxSurge: 1}}, template: {metadata: {labels: {any: thing}}}}":                   nil,
		"spec: {template: {spec: {imagePullPolicy: Always, containers: [{name: a, resources: {limits: {cpu: 1, gpu.example/x: 2}}}]}}}": {"spec.template.spec.imagePullPolicy"},
		"{data: {a: b}, spec: {Replicas: 1, template: {spec: {containers: [{name: a}, {name: b, ports: [{port: 80}]}]}}}}":              {"data", "spec.Replicas", "spec.template.spec.containers[1].ports[0].port"},
		"{metadata: {what: ever}, kind: Deployment, status: {x: y}}":                                                                    nil,
	} {
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(template), &object); err != nil {
			t.Fatal(err)
		}
		if got := UnknownFields(definitions, schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, object); !slices.Equal(got, want) {
			t.Errorf("%s: got %v", template, got)
		}
	}
	if got := UnknownFields(definitions, schema.GroupVersionKind{Group: "x", Version: "v1", Kind: "Y"}, map[string]any{"a": 1}); got != nil {
		t.Errorf("of a kind that is not published: %v", got)
	}
}
