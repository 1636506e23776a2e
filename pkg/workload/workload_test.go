package workload

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

func tree(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := utiljson.Unmarshal([]byte(text), &object); err != nil { // numbers as an API server's
		t.Fatal(err)
	}
	return object
}

func TestEdit(t *testing.T) {
	const pod = `{"spec":{"x":1}}`
	tests := []struct {
		name, group, kind, object string
		want                      []string // where pods are
	}{
		{"a Deployment", "apps", "Deployment", `{"spec":{"template":` + pod + `}}`, []string{"spec.template.spec"}},
		{"a Pod", "", "Pod", pod, []string{"spec"}},
		{"a RayCluster", "ray.io", "RayCluster", `{"spec":{"headGroupSpec":{"template":` + pod + `},"workerGroupSpecs":[{"template":` + pod + `},{"other":1},{"template":` + pod + `}]}}`,
			[]string{"spec.headGroupSpec.template.spec", "spec.workerGroupSpecs[0].template.spec", "spec.workerGroupSpecs[2].template.spec"}},
		{"a map of components", "kubeflow.org", "PyTorchJob", `{"spec":{"pytorchReplicaSpecs":{"Worker":{"template":` + pod + `},"Master":{"template":` + pod + `}}}}`,
			[]string{"spec.pytorchReplicaSpecs.Master.template.spec", "spec.pytorchReplicaSpecs.Worker.template.spec"}},
		{"what is no template", "apps", "Deployment", `{"spec":{"template":[1]}}`, nil},
		{"nothing", "apps", "Deployment", `{}`, nil},
		{"an unknown kind", "example.com", "Thing", `{"spec":{"template":` + pod + `}}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			object := tree(t, tt.object)
			var got []string
			changed, err := Edit(object, Builtin().PodTemplates(schema.GroupKind{Group: tt.group, Kind: tt.kind}), func(spec map[string]any, at string) error {
				got = append(got, at)
				spec["x"] = 2
				return nil
			})
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
			if !reflect.DeepEqual(object, tree(t, tt.object)) {
				t.Error("the object was modified")
			}
			if text, _ := json.Marshal(changed); strings.Count(string(text), `"x":2`) != len(tt.want) {
				t.Errorf("got %s", text)
			}
		})
	}
	broken := errors.New("no")
	if _, err := Edit(tree(t, `{"spec":{"template":`+pod+`}}`), []Template{{Path: Path{"spec", "template"}}}, func(map[string]any, string) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// Every row has a source.
func TestKinds(t *testing.T) {
	for _, row := range kinds {
		if row.source == "" || len(row.components) == 0 {
			t.Errorf("%s.%s has no source or no template", row.kind, row.group)
		}
	}
}

// The reference has each kind, with its pod templates.
func TestKindsAreInTheReference(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range kinds {
		var templates []string
		for _, c := range row.components {
			switch {
			case c.at != "":
			case c.template == "":
				templates = append(templates, "itself")
			case c.podSpec:
				templates = append(templates, "`"+c.template+"` (PodSpec)")
			default:
				templates = append(templates, "`"+c.template+"`")
			}
		}
		line := "| " + row.kind + " | " + cmp.Or(row.group, "-") + " | " + strings.Join(templates, ", ") + " |"
		if !strings.Contains(string(text), line) {
			t.Errorf("the reference lacks: %s", line)
		}
	}
}
