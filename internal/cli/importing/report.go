package importing

import (
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/internal/exported"
)

// Counts are what has become of the objects of a kind, or would.
type Counts struct {
	Kind      string `json:"kind"`
	Created   int    `json:"created"`
	Updated   int    `json:"updated"`
	Unchanged int    `json:"unchanged"`
	// Kept are those that are here and differ, and stay.
	Kept   int `json:"kept"`
	Failed int `json:"failed"`
}

// Report is what the command has to say.
type Report struct {
	Exported time.Time `json:"exported"`
	DryRun   bool      `json:"dryRun,omitempty"`
	Refused  []string  `json:"refused,omitempty"`
	Kinds    []*Counts `json:"kinds"`
	Failures []string  `json:"failures,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
	Next     []string  `json:"next,omitempty"`

	// mu guards the counts, and Failures.
	mu     sync.Mutex
	failed int
}

func newReport(o *Options, c *exported.Contents) *Report {
	r := &Report{Exported: c.Exported, DryRun: o.DryRun, Kinds: []*Counts{}}
	if age := time.Since(c.Exported).Round(time.Minute); age >= time.Hour {
		r.Notes = append(r.Notes, fmt.Sprintf("the export is %s old, of %s: what was changed on the host since is as it was then, what was deleted comes again, and what was made since is not looked after any more", age, c.Exported.Format(time.RFC3339)))
	}
	r.Notes = append(r.Notes, c.Notes...)
	if c.Secrets == exported.Omitted {
		r.Notes = append(r.Notes, "federated Secrets were left out of the export: write them here before the members join, or the Secrets in them stay as they are, and nobody looks after them")
	}
	return r
}

// What becomes of an object.
func created(c *Counts)   { c.Created++ }
func updated(c *Counts)   { c.Updated++ }
func unchanged(c *Counts) { c.Unchanged++ }
func kept(c *Counts)      { c.Kept++ }
func failed(c *Counts)    { c.Failed++ }
func nothing(*Counts)     {}

// count counts an object of a kind.
func (r *Report) count(kind string, become func(*Counts)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	become(r.of(kind))
}

// of are the counts of a kind.
func (r *Report) of(kind string) *Counts {
	for _, c := range r.Kinds {
		if c.Kind == kind {
			return c
		}
	}
	r.Kinds = append(r.Kinds, &Counts{Kind: kind})
	return r.Kinds[len(r.Kinds)-1]
}

// mostSaid is how many of a sort are named.
const mostSaid = 20

func (r *Report) fail(kind, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	failed(r.of(kind))
	r.failed++
	switch text := fmt.Sprintf(format, args...); {
	case len(r.Failures) < mostSaid:
		r.Failures = append(r.Failures, text)
	case len(r.Failures) == mostSaid:
		r.Failures = append(r.Failures, "and more")
	}
}

// outcome is the error with which the command ends; err is what has ended it early.
func (r *Report) outcome(err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("the import has not ended: %w; repeat the command, which does the rest", err)
	case r.failed > 0 && r.DryRun:
		return fmt.Errorf("the host would refuse %d object(s)", r.failed)
	case r.failed > 0:
		return fmt.Errorf("%d object(s) were not imported: mend what is in the way, and repeat the command, which does the rest. Let no member join before: what is missing would be let go of there", r.failed)
	}
	return nil
}

// end prints the report, and returns err.
func (r *Report) end(o *Options, err error) error {
	if err != nil {
		r.Next = nil
	}
	printErr := r.print(o)
	switch {
	case printErr == nil:
		return err
	case err == nil && !r.DryRun:
		return fmt.Errorf("all was imported, and only what was done could not be printed: %w", printErr)
	}
	return errors.Join(err, fmt.Errorf("the report could not be printed: %w", printErr))
}

func (r *Report) print(o *Options) error {
	printer := o.Output.Printer(o.factory)
	if !printer.ShowsTable() {
		return printer.PrintDocument(r)
	}
	for _, note := range r.Notes {
		_, _ = fmt.Fprintf(o.factory.ErrOut, "note: %s\n", note)
	}
	for _, failure := range r.Failures {
		_, _ = fmt.Fprintf(o.factory.ErrOut, "failed: %s\n", failure)
	}
	if len(r.Kinds) > 0 {
		if err := printer.PrintTable(r.table()); err != nil {
			return err
		}
	}
	for _, line := range r.Next {
		if _, err := fmt.Fprintln(o.factory.Out, line); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) table() *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{{Name: "Kind", Type: "string"}}}
	for _, name := range []string{"Created", "Updated", "Unchanged", "Kept", "Failed"} {
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "integer"})
	}
	for _, c := range r.Kinds {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{c.Kind, int64(c.Created), int64(c.Updated), int64(c.Unchanged), int64(c.Kept), int64(c.Failed)}})
	}
	return table
}
