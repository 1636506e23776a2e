package view

import (
	"reflect"
	"strings"
	"testing"
)

func TestInEffect(t *testing.T) {
	type values = map[string]any
	tests := []struct {
		name          string
		changes, want []FieldChange
	}{
		{name: "nothing"},
		{name: "a field that is changed twice",
			changes: []FieldChange{{"a", 1, 2, "first", nil}, {"b", nil, "x", "second", nil}, {"a", 2, 3, "third", []string{"why"}}},
			want:    []FieldChange{{"a", 1, 3, "third", []string{"why"}}, {"b", nil, "x", "second", nil}}},
		{name: "a field that ends as it began", changes: []FieldChange{{"a", 1, 2, "first", nil}, {"a", 2, 1, "second", nil}}},
		{name: "a part of a whole",
			changes: []FieldChange{{"a.b", nil, values{"x": 1, "y.z": 2}, "first", nil}, {"a.b.x", 1, 3, "second", nil}},
			want:    []FieldChange{{"a.b.x", nil, 3, "second", nil}, {"a.b[y.z]", nil, 2, "first", nil}}},
		{name: "all parts of a whole", changes: []FieldChange{{"a", nil, values{"x": 1}, "first", nil}, {"a.x", 1, 3, "second", nil}}, want: []FieldChange{{"a.x", nil, 3, "second", nil}}},
		{name: "a part of a whole that is removed", changes: []FieldChange{{"a", nil, values{"x": 1, "y": 2}, "first", nil}, {"a.x", 1, nil, "second", nil}}, want: []FieldChange{{"a.y", nil, 2, "first", nil}}},
		{name: "a whole over its parts", changes: []FieldChange{{"a.x", 1, 2, "first", nil}, {"a.xy", 1, 2, "first", nil}, {"ab", 1, 2, "first", nil}, {"a", values{"x": 2}, values{"z": 1}, "second", nil}},
			want: []FieldChange{{"ab", 1, 2, "first", nil}, {"a", values{"x": 2}, values{"z": 1}, "second", nil}}},
		{name: "an item of a list that was added",
			changes: []FieldChange{{"c[name=web].env", nil, []any{values{"name": "A", "value": 1}, values{"name": "B", "value": 1}}, "first", nil}, {"c[name=web].env[name=A].value", 1, 2, "second", nil}},
			want:    []FieldChange{{"c[name=web].env[name=A].name", nil, "A", "first", nil}, {"c[name=web].env[name=A].value", nil, 2, "second", nil}, {"c[name=web].env[name=B]", nil, values{"name": "B", "value": 1}, "first", nil}}},
		{name: "parts of an image, each of which counts",
			changes: []FieldChange{{"c.image", "nginx", "mirror.example/library/nginx", "registry", nil}, {"c.image", "mirror.example/library/nginx", "mirror.example/library/nginx:1", "lost", nil}, {"c.image", "mirror.example/library/nginx:1", "mirror.example/library/nginx:2", "tag", []string{"why"}}},
			want:    []FieldChange{{"c.image", "nginx", "mirror.example/library/nginx:2", "registry, tag", []string{"why"}}}},
		{name: "an item of a list whose items have no names", changes: []FieldChange{{"l", nil, []any{values{"key": "a"}}, "first", nil}, {"l[1]", nil, values{"key": "b"}, "second", nil}},
			want: []FieldChange{{"l", nil, []any{values{"key": "a"}}, "first", nil}, {"l[1]", nil, values{"key": "b"}, "second", nil}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := InEffect(tt.changes); len(got) != len(tt.want) || len(got) > 0 && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLongValuesAreCut(t *testing.T) {
	cell := valueCell(map[string]any{"text": strings.Repeat("ü", 100)})
	if len([]rune(cell)) != mostOfValue || !strings.HasSuffix(cell, "...") {
		t.Errorf("got %q", cell)
	}
}
