package pairs

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestSeedsAreWell(t *testing.T) {
	seeds, err := Load(os.DirFS("../seeds"))
	if err != nil {
		t.Fatal(err)
	}
	enabled, more := 0, 0
	names := map[string]bool{}
	for _, s := range seeds {
		if s.Enabled {
			enabled++
		} else {
			more++
		}
		manual, err := s.Manual()
		if err != nil {
			t.Error(err)
		}
		generated, err := s.Generate(nil, nil, 1000)
		if err != nil {
			t.Error(err)
		}
		for _, p := range append(manual, generated...) {
			if names[p.Name] || strings.ContainsAny(p.Name, " /") {
				t.Errorf("the name %q is not one of its own, or no word", p.Name)
			}
			names[p.Name] = true
		}
	}
	if enabled != 11 || more < 20 {
		t.Errorf("there are %d types that are enabled by default, and %d more", enabled, more)
	}
}

const document = `
components:
  schemas:
    Thing:
      type: object
      x-kubernetes-group-version-kind: [{group: example.com, version: v1, kind: Thing}]
      properties:
        apiVersion: {type: string}
        metadata: {type: object, properties: {name: {type: string}, labels: {type: object, additionalProperties: {type: string}}}}
        spec: {allOf: [{$ref: "#/components/schemas/Spec"}]}
        status: {type: object, properties: {ready: {type: boolean}}}
    Spec:
      type: object
      properties:
        policy: {type: string, enum: [A, B, C]}
        given: {type: string}
        parts: {type: array, items: {$ref: "#/components/schemas/Part"}}
        more: {type: array, items: {$ref: "#/components/schemas/Part"}}
    Part:
      type: object
      required: [name]
      properties: {name: {type: string}, count: {type: integer}, port: {oneOf: [{type: string}, {type: integer}]}}
`

func TestGenerate(t *testing.T) {
	parsed := map[string]any{}
	if err := yaml.Unmarshal([]byte(document), &parsed); err != nil {
		t.Fatal(err)
	}
	schema := FindSchema(parsed, "example.com", "v1", "Thing")
	if schema == nil || FindSchema(parsed, "example.com", "v1", "Other") != nil {
		t.Fatal("the schema is not found")
	}
	seed := &Seed{Resource: "things", Base: map[string]any{"spec": map[string]any{"given": "x", "parts": []any{map[string]any{"name": "a"}}}},
		Full: map[string]any{"spec": map[string]any{"policy": "A"}}}
	all, err := seed.Generate(schema, rand.New(rand.NewPCG(1, 1)), 100)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range all {
		names = append(names, strings.TrimPrefix(p.Name, "things:"))
	}
	want := "drop:spec gain:spec drop:spec.given gain:spec.given drop:spec.parts gain:spec.parts drop:spec.parts.0 gain:spec.parts.0 " +
		"drop:spec.parts.0.name gain:spec.parts.0.name drop:spec.policy gain:spec.policy " +
		"set:metadata.labels unset:metadata.labels change:metadata.labels set:spec.more unset:spec.more " +
		"set:spec.parts.0.count unset:spec.parts.0.count change:spec.parts.0.count " +
		"set:spec.parts.0.port unset:spec.parts.0.port change:spec.parts.0.port set:spec.policy unset:spec.policy change:spec.policy"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("pairs are\n%s\nand not\n%s", got, want)
	}
	few, err := seed.Generate(schema, rand.New(rand.NewPCG(1, 1)), 1)
	if err != nil || len(few) > 5 {
		t.Errorf("%d pairs of one field: %v", len(few), err)
	}
}

func TestRemove(t *testing.T) {
	object := map[string]any{"a": []any{map[string]any{"b": int64(1), "c": int64(2)}, "x"}}
	remove(object, []string{"a", "0", "b"})
	remove(object, []string{"a", "1"})
	remove(object, []string{"nothing", "here"})
	if got := object["a"].([]any); len(got) != 1 || len(got[0].(map[string]any)) != 1 {
		t.Errorf("left is %v", object)
	}
}
