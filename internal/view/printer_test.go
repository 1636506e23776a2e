package view

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPrinter(t *testing.T) {
	list := List{
		Items: []map[string]any{{"name": "a", "why": "<none>"}},
		Names: []string{"things/a"},
		Table: &metav1.Table{
			ColumnDefinitions: Columns(1, "Name", "Why"),
			Rows:              []metav1.TableRow{{Cells: []any{"a", Text("one\n\ttwo")}}, {Cells: []any{Text(""), Text(" ")}}},
		},
	}
	for name, test := range map[string]struct {
		printer Printer
		want    string
	}{
		"a table":          {Printer{}, "NAME\na\n-\n"},
		"no headers":       {Printer{NoHeaders: true}, "a\n-\n"},
		"a wide table":     {Printer{Format: Wide}, "NAME   WHY\na      one two\n-      -\n"},
		"names":            {Printer{Format: Name}, "things/a\n"},
		"JSON":             {Printer{Format: JSON}, "{\n    \"items\": [\n        {\n            \"name\": \"a\",\n            \"why\": \"<none>\"\n        }\n    ]\n}\n"},
		"JSON as it comes": {Printer{Format: JSON, Stream: true}, "{\"items\":[{\"name\":\"a\",\"why\":\"<none>\"}]}\n"},
		"YAML":             {Printer{Format: YAML}, "items:\n- name: a\n  why: <none>\n"},
		"YAML as it comes": {Printer{Format: YAML, Stream: true}, "---\nitems:\n- name: a\n  why: <none>\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			test.printer.Out = &out
			if err := test.printer.Print(list); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if err := (&Printer{Format: "csv"}).Print(list); err == nil {
		t.Error("a format that nobody knows prints nothing")
	}
}

func TestPrintIndented(t *testing.T) {
	var out bytes.Buffer
	table := &metav1.Table{ColumnDefinitions: Columns(1, "Run", "Message"), Rows: []metav1.TableRow{{Cells: []any{"n-1", "well"}}}}
	if err := PrintIndented(&out, table); err != nil || out.String() != "    RUN   MESSAGE\n    n-1   well\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	out.Reset()
	if err := PrintIndented(&out, &metav1.Table{ColumnDefinitions: table.ColumnDefinitions}); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
}
