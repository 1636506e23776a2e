package cmdutil

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fedctl/fedctl/internal/view"
)

// ObjectFormats are those of commands that print objects of the API.
var ObjectFormats = []string{view.JSON, view.YAML, view.Name}

// TableFormats are those of commands that print a table of objects.
var TableFormats = []string{view.Wide, view.JSON, view.YAML, view.Name}

// Output is the flag --output of a command: one of the formats that it takes, or
// nothing for its ordinary output.
type Output struct {
	Format  string
	formats []string
}

// NewOutput returns a flag that takes the formats.
func NewOutput(formats ...string) Output { return Output{formats: formats} }

// AddFlag adds the flag with its completion. The usage says what is printed, without a full stop.
func (o *Output) AddFlag(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVarP(&o.Format, "output", "o", "", usage+": "+oneOf(o.formats)+".")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(o.formats, cobra.ShellCompDirectiveNoFileComp))
}

// Validate says which formats there are, if this is none of them.
func (o *Output) Validate() error {
	if o.Format == "" || slices.Contains(o.formats, o.Format) {
		return nil
	}
	return fmt.Errorf("--output takes %s, not %q", oneOf(o.formats), o.Format)
}

// Progress is where a command tells what it does: beside the objects, if those
// are what is to be printed.
func (o *Output) Progress(f *Factory) io.Writer {
	if o.Format != "" {
		return f.ErrOut
	}
	return f.Out
}

func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// Printer prints in the format to the command's output.
func (o *Output) Printer(f *Factory) *view.Printer {
	return &view.Printer{Out: f.Out, Format: o.Format}
}

// Print prints one object, whose kind must be set.
func (o *Output) Print(w io.Writer, object runtime.Object) error {
	return (&view.Printer{Out: w, Format: o.Format}).PrintObject(object)
}

// PrintAll prints objects for a file.
func (o *Output) PrintAll(w io.Writer, objects []*unstructured.Unstructured) error {
	return (&view.Printer{Out: w, Format: o.Format}).PrintObjects(objects)
}

// NamePrinter prints names of objects that are no more, as "kubectl delete -o name"
// does, in place of the line that tells of the deletion; nil for that line.
func (o *Output) NamePrinter(f *Factory) func(name string) {
	if o.Format != "name" {
		return nil
	}
	return func(name string) {
		_, _ = fmt.Fprintln(f.Out, name) // a lost line is no reason to stop half-way
	}
}
