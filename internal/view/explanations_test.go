package view

import (
	"reflect"
	"strings"
	"testing"
)

func TestLastOf(t *testing.T) {
	tests := []struct {
		name          string
		changes, want []FieldChange
	}{
		{name: "nothing"},
		{name: "a field that is changed twice",
			changes: []FieldChange{{"a", 1, 2, "first", nil}, {"b", nil, "x", "second", nil}, {"a", 2, 3, "third", nil}},
			want:    []FieldChange{{"a", 1, 3, "third", nil}, {"b", nil, "x", "second", nil}}},
		{name: "a field that ends as it began", changes: []FieldChange{{"a", 1, 2, "first", nil}, {"a", 2, 1, "second", nil}}, want: []FieldChange{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := LastOf(tt.changes); len(got) != len(tt.want) || len(got) > 0 && !reflect.DeepEqual(got, tt.want) {
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
