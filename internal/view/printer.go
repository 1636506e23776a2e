package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"
)

// The formats beside a table, which has no name.
const (
	Wide = "wide"
	JSON = "json"
	YAML = "yaml"
	Name = "name"
)

// indent is that of JSON, kubectl's.
const indent = "    "

// Printer prints rows, tables and objects of the API in one format. It remembers what
// it has printed: a table goes on with the columns and without the headers.
type Printer struct {
	Out io.Writer
	// Format is one of those above, or empty for a table.
	Format string
	// NoHeaders leaves out the line of headers.
	NoHeaders bool
	// Stream is for programs that read documents as they come: JSON in a line each,
	// YAML begun by a line.
	Stream bool

	table printers.ResourcePrinter
	tabs  flushWriter
}

type flushWriter interface {
	io.Writer
	Flush() error
}

// List is what a command shows, in all formats.
type List struct {
	// Items are the rows, a slice.
	Items any
	// Names are those of the rows' objects, as kubectl takes them.
	Names []string
	Table *metav1.Table
}

// ShowsTable says whether the format is for people.
func (p *Printer) ShowsTable() bool { return p.Format == "" || p.Format == Wide }

// Print prints a list.
func (p *Printer) Print(list List) error {
	switch {
	case p.ShowsTable():
		return p.PrintTable(list.Table)
	case p.Format == Name:
		for _, name := range list.Names {
			if _, err := fmt.Fprintln(p.Out, name); err != nil {
				return err
			}
		}
		return nil
	}
	return p.PrintDocument(map[string]any{"items": list.Items})
}

// PrintTable prints a table; one without rows is nothing.
func (p *Printer) PrintTable(table *metav1.Table) error {
	if p.table == nil {
		p.table = printers.NewTablePrinter(printers.PrintOptions{Wide: p.Format == Wide, NoHeaders: p.NoHeaders})
		p.tabs = printers.GetNewTabWriter(p.Out) // one for all, since it remembers the widths
	}
	if err := p.table.PrintObj(table, p.tabs); err != nil {
		return err
	}
	return p.tabs.Flush()
}

// PrintDocument prints a value as JSON or YAML.
func (p *Printer) PrintDocument(v any) error {
	switch p.Format {
	case YAML:
		text, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		if p.Stream {
			text = append([]byte("---\n"), text...)
		}
		_, err = p.Out.Write(text)
		return err
	case JSON:
		encoder := json.NewEncoder(p.Out)
		encoder.SetEscapeHTML(false)
		if !p.Stream {
			encoder.SetIndent("", indent)
		}
		return encoder.Encode(v)
	}
	return p.unknown()
}

// PrintObject prints an object of the API, whose kind must be set.
func (p *Printer) PrintObject(object runtime.Object) error {
	var printer printers.ResourcePrinter
	switch p.Format {
	case JSON:
		printer = &printers.OmitManagedFieldsPrinter{Delegate: &printers.JSONPrinter{}}
	case YAML:
		printer = &printers.OmitManagedFieldsPrinter{Delegate: &printers.YAMLPrinter{}}
	case Name:
		printer = &printers.NamePrinter{ShortOutput: true}
	default:
		return p.unknown()
	}
	return printer.PrintObj(object, p.Out)
}

// PrintObjects prints objects of the API for a file: documents, each begun by a line,
// names, or a List in JSON unless there is just one.
func (p *Printer) PrintObjects(objects []*unstructured.Unstructured) error {
	if p.Format == JSON && len(objects) != 1 {
		list := &corev1.List{}
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("List"))
		list.Items = []runtime.RawExtension{}
		for _, object := range objects {
			list.Items = append(list.Items, runtime.RawExtension{Object: object})
		}
		return p.PrintObject(list)
	}
	for _, object := range objects {
		if p.Format == YAML {
			if _, err := io.WriteString(p.Out, "---\n"); err != nil {
				return err
			}
		}
		if err := p.PrintObject(object); err != nil {
			return err
		}
	}
	return nil
}

func (p *Printer) unknown() error { return fmt.Errorf("nothing prints the format %q", p.Format) }

// PrintIndented prints a table as a part of a longer text.
func PrintIndented(to io.Writer, table *metav1.Table) error {
	var text bytes.Buffer
	if err := (&Printer{Out: &text, Format: Wide}).PrintTable(table); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := io.WriteString(to, indent+line); err != nil {
			return err
		}
	}
	return nil
}
