package status

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"
)

var outputFormats = []string{"wide", "json", "yaml", "name"}

// output prints rows in the format asked for, and remembers what it printed so
// that a watch shows changes only.
type output struct {
	w      io.Writer
	format string
	// watching prints every object by itself.
	watching bool
	// single is an output of one named object, which is not put into a list.
	single bool

	table    printers.ResourcePrinter
	tabs     flushWriter
	clusters []string
	printed  map[string]any
	now      func() time.Time
}

type flushWriter interface {
	io.Writer
	Flush() error
}

func newOutput(o *Options, clusters []string) *output {
	return &output{
		w:        o.factory.Out,
		format:   o.Output,
		watching: o.Watch,
		single:   len(o.requests) == 1 && o.requests[0].name != "" && !o.AllNamespaces,
		table:    printers.NewTablePrinter(printers.PrintOptions{Wide: o.Output == "wide", NoHeaders: o.NoHeaders}),
		tabs:     printers.GetNewTabWriter(o.factory.Out), // one for all, since it remembers the widths
		clusters: clusters,
		printed:  map[string]any{},
		now:      time.Now,
	}
}

// print prints rows, which must be sorted.
func (o *output) print(rows []row) error {
	for i := range rows {
		o.printed[rows[i].key()] = o.visible(&rows[i])
	}
	switch o.format {
	case "name":
		return o.printNames(rows)
	case "json", "yaml":
		return o.printDocuments(rows)
	}
	o.clusters = clusterColumns(o.clusters, rows)
	if err := o.table.PrintObj(table(rows, o.clusters, o.now()), o.tabs); err != nil {
		return err
	}
	return o.tabs.Flush()
}

// printChange prints the row unless it looks as it did when last printed.
func (o *output) printChange(r row) error {
	if reflect.DeepEqual(o.printed[r.key()], o.visible(&r)) {
		return nil
	}
	return o.print([]row{r})
}

// visible is what of the row is printed, but for its age.
func (o *output) visible(r *row) any {
	switch o.format {
	case "":
		return r.cells(clusterColumns(nil, []row{*r}))
	case "wide":
		return append(r.cells(clusterColumns(nil, []row{*r})), r.wideCells()...)
	}
	return *r
}

func (o *output) printNames(rows []row) error {
	for i := range rows {
		group, _, _ := strings.Cut(rows[i].APIVersion, "/")
		if _, err := fmt.Fprintf(o.w, "%s.%s/%s\n", strings.ToLower(rows[i].Kind), group, rows[i].Name); err != nil {
			return err
		}
	}
	return nil
}

// printDocuments prints a list; in a watch, one document for each object.
func (o *output) printDocuments(rows []row) error {
	switch {
	case o.watching:
		for i := range rows {
			if err := o.printDocument(rows[i]); err != nil {
				return err
			}
		}
		return nil
	case o.single && len(rows) == 1:
		return o.printDocument(rows[0])
	case o.single:
		return nil // it does not exist, which is an error of its own
	}
	if rows == nil {
		rows = []row{}
	}
	return o.printDocument(map[string]any{"items": rows})
}

func (o *output) printDocument(v any) error {
	if o.format == "yaml" {
		text, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		if o.watching {
			text = append([]byte("---\n"), text...)
		}
		_, err = o.w.Write(text)
		return err
	}
	encoder := json.NewEncoder(o.w)
	encoder.SetEscapeHTML(false)
	if !o.watching { // a watch prints one line for each, for programs to read
		encoder.SetIndent("", "    ")
	}
	return encoder.Encode(v)
}
