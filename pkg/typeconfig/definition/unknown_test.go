package definition

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestUnknownFields(t *testing.T) {
	deployments := published(t, "apps_v1", "apps", "Deployment")
	for template, want := range map[string][]string{
		"spec: {replicas: 1, strategy: {rollingUpdate: {maxSurge: 1}}, template: {metadata: {labels: {any: thing}}}}":                   nil,
		"spec: {template: {spec: {imagePullPolicy: Always, containers: [{name: a, resources: {limits: {cpu: 1, gpu.example/x: 2}}}]}}}": {"spec.template.spec.imagePullPolicy"},
		"{data: {a: b}, spec: {Replicas: 1, template: {spec: {containers: [{name: a}, {name: b, ports: [{port: 80}]}]}}}}":              {"data", "spec.Replicas", "spec.template.spec.containers[1].ports[0].port"},
		"{metadata: {what: ever}, kind: Deployment, status: {x: y}}":                                                                    nil,
	} {
		if got := deployments.UnknownFields(parsed(t, template)); !slices.Equal(got, want) {
			t.Errorf("%s: got %v", template, got)
		}
	}
	none := PublishedOf(nil, schema.GroupVersionKind{Group: "x", Version: "v1", Kind: "Y"})
	if got := none.UnknownFields(map[string]any{"a": 1}); got != nil {
		t.Errorf("of a kind that is not published: %v", got)
	}
}
