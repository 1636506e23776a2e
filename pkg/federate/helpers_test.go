package federate

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

var (
	deployments  = Target{GVK: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespaced: true}
	configMaps   = Target{GVK: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Namespaced: true}
	clusterRoles = Target{GVK: schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}}
	namespaces   = Target{GVK: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, IsNamespace: true}
)

// object reads YAML as an API client would: integers are int64.
func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return &unstructured.Unstructured{Object: tree(t, data)}
}

// tree decodes JSON into the types of unstructured objects.
func tree(t testing.TB, data []byte) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatalf("%v in: %s", err, data)
	}
	return integers(out).(map[string]any)
}

// integers makes whole float64 numbers int64, as the decoders of API clients do.
func integers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = integers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case float64:
		if v == float64(int64(v)) && v < 1<<53 && v > -(1<<53) {
			return int64(v)
		}
	}
	return v
}

func mustParse(t testing.TB, text string) *Object {
	t.Helper()
	o, err := Parse(object(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func mustRenderer(t testing.TB, text string, target Target) *Renderer {
	t.Helper()
	r, err := NewRenderer(mustParse(t, text), target)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
