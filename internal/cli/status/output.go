package status

import (
	"reflect"
	"time"

	"github.com/fedctl/fedctl/internal/view"
)

// output prints rows in the format asked for, and remembers what it printed so
// that a watch shows changes only.
type output struct {
	*view.Printer
	// single is an output of one named object, which is not put into a list.
	single   bool
	clusters []string
	printed  map[string]any
	now      func() time.Time
}

func newOutput(o *Options, clusters []string) *output {
	printer := o.Output.Printer(o.factory)
	printer.NoHeaders, printer.Stream = o.NoHeaders, o.Watch
	return &output{
		Printer:  printer,
		single:   len(o.requests) == 1 && o.requests[0].name != "" && !o.AllNamespaces,
		clusters: clusters,
		printed:  map[string]any{},
		now:      time.Now,
	}
}

// print prints rows, which must be sorted: as a list, or in a watch each by itself.
func (o *output) print(rows []view.ObjectRow) error {
	for i := range rows {
		o.printed[rows[i].Key()] = o.visible(&rows[i])
	}
	isDocument := o.Format == view.JSON || o.Format == view.YAML
	switch {
	case isDocument && (o.Stream || o.single):
		for i := range rows { // none does not exist, which is an error of its own
			if err := o.PrintDocument(rows[i]); err != nil {
				return err
			}
		}
		return nil
	case rows == nil:
		rows = []view.ObjectRow{}
	}
	o.clusters = view.ObjectClusters(o.clusters, rows)
	return o.Print(view.List{Items: rows, Names: view.ObjectNames(rows), Table: view.ObjectTable(rows, o.clusters, o.now())})
}

// printChange prints the row unless it looks as it did when last printed.
func (o *output) printChange(r view.ObjectRow) error {
	if reflect.DeepEqual(o.printed[r.Key()], o.visible(&r)) {
		return nil
	}
	return o.print([]view.ObjectRow{r})
}

// visible is what of the row is printed, but for its age.
func (o *output) visible(r *view.ObjectRow) any {
	if o.ShowsTable() {
		return r.Shown(o.Format == view.Wide)
	}
	return *r
}
