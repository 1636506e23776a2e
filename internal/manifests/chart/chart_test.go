package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../../../charts"

// The charts in the sources are those of the manifests in the sources.
func TestChartsAreUpToDate(t *testing.T) {
	generated, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	files := generated.Files
	readme, err := os.ReadFile(filepath.Join(root, Name, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), generated.Table) {
		t.Errorf("make generate writes the table of values into the README; it has to be\n%s", generated.Table)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v: make generate writes it (-want +got)\n%s", name, err, diff)
		}
	}
	for _, chart := range []string{Name, DefinitionsName} {
		there, err := filepath.Glob(filepath.Join(root, chart, "templates", "*.yaml"))
		if err != nil || len(there) == 0 {
			t.Fatal(there, err)
		}
		for _, file := range there {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := chart + "/templates/" + filepath.Base(file)
			if _, made := files[name]; !made && strings.HasPrefix(string(content), Mark) {
				t.Errorf("%s is not made any more: make generate removes it", name)
			}
		}
	}
}

func TestHoles(t *testing.T) {
	h := &holes{}
	condition, err := h.fieldsIf("$.a", map[string]any{"k": "v"})
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{
		"braces":   "{{ .Values.theirs }}",
		"block":    h.block("$.b"),
		"map":      map[string]any{"own": 1, condition: "", h.entries("$.more"): ""},
		"list":     []any{h.action("if $.c"), map[string]any{"a": h.scalar("$.d")}, h.action("end"), h.entries("$.e")},
		"optional": h.optional("$.f"),
	}
	got, err := h.print(object)
	if err != nil {
		t.Fatal(err)
	}
	want := `{{- with $.b }}
block:
  {{- toYaml . | nindent 2 }}
{{- end }}
braces: '{{ "{{" }} .Values.theirs }}'
list:
{{- if $.c }}
- a: {{ $.d }}
{{- end }}
{{- with $.e }}
{{- toYaml . | nindent 0 }}
{{- end }}
map:
  {{- if $.a }}
  k: v
  {{- end }}
  {{- with $.more }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  own: 1
{{- with $.f }}
optional: {{ . | quote }}
{{- end }}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A hole that is in no place for one must not reach a chart.
func TestHolesInTheMiddle(t *testing.T) {
	h := &holes{}
	if text, err := h.print(map[string]any{"image": "example.com/" + h.scalar("$.a")}); err == nil {
		t.Errorf("printed as\n%s", text)
	}
}
