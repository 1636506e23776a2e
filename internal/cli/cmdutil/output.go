package cmdutil

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
)

// ObjectFormats are those of commands that print objects of the API.
var ObjectFormats = []string{"json", "yaml", "name"}

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
func (o *Output) Validate() error { return CheckFormat(o.Format, o.formats) }

// CheckFormat is the error for a format that is not one of those there are. Empty,
// for the ordinary output, always is.
func CheckFormat(format string, formats []string) error {
	if format == "" || slices.Contains(formats, format) {
		return nil
	}
	return fmt.Errorf("--output takes %s, not %q", oneOf(formats), format)
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

// Print prints one object, whose kind must be set.
func (o *Output) Print(w io.Writer, object runtime.Object) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	return printer.PrintObj(object, w)
}

// PrintAll prints objects for a file: documents, each begun by a line, names, or
// a List in JSON unless there is just one.
func (o *Output) PrintAll(w io.Writer, objects []*unstructured.Unstructured) error {
	if o.Format == "json" && len(objects) != 1 {
		list := &corev1.List{}
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("List"))
		list.Items = []runtime.RawExtension{}
		for _, object := range objects {
			list.Items = append(list.Items, runtime.RawExtension{Object: object})
		}
		return o.Print(w, list)
	}
	for _, object := range objects {
		if o.Format == "yaml" {
			if _, err := io.WriteString(w, "---\n"); err != nil {
				return err
			}
		}
		if err := o.Print(w, object); err != nil {
			return err
		}
	}
	return nil
}

func (o *Output) printer() (printers.ResourcePrinter, error) {
	switch o.Format {
	case "json":
		return &printers.OmitManagedFieldsPrinter{Delegate: &printers.JSONPrinter{}}, nil
	case "yaml":
		return &printers.OmitManagedFieldsPrinter{Delegate: &printers.YAMLPrinter{}}, nil
	case "name":
		return &printers.NamePrinter{ShortOutput: true}, nil
	}
	return nil, errors.New("no printer for the format " + o.Format)
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
