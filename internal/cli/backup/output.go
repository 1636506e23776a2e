package backup

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	human "k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

var outputFormats = []string{"wide", "json", "yaml", "name"}

// output prints rows in the format that was asked for.
type output struct {
	factory *cmdutil.Factory
	format  string
}

func (o *output) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "", "Output format: wide, json, yaml or name.")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputFormats, cobra.ShellCompDirectiveNoFileComp))
}

func (o *output) validate() error { return cmdutil.CheckFormat(o.format, outputFormats) }

// print prints the items as a document, their names, each once, or the table. empty
// is what is said where a table would have no rows.
func (o *output) print(items any, names []string, table *metav1.Table, empty string) error {
	switch o.format {
	case "name":
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if _, err := fmt.Fprintln(o.factory.Out, name); err != nil {
				return err
			}
		}
		return nil
	case "json":
		encoder := json.NewEncoder(o.factory.Out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "    ")
		return encoder.Encode(map[string]any{"items": items})
	case "yaml":
		text, err := yaml.Marshal(map[string]any{"items": items})
		if err == nil {
			_, err = o.factory.Out.Write(text)
		}
		return err
	}
	if len(table.Rows) == 0 {
		_, err := fmt.Fprintln(o.factory.ErrOut, empty)
		return err
	}
	tabs := printers.GetNewTabWriter(o.factory.Out)
	if err := printers.NewTablePrinter(printers.PrintOptions{Wide: o.format == "wide"}).PrintObj(table, tabs); err != nil {
		return err
	}
	return tabs.Flush()
}

// columns are those of a table; those after the number of narrow ones are for -o wide.
func columns(narrow int, names ...string) []metav1.TableColumnDefinition {
	list := make([]metav1.TableColumnDefinition, len(names))
	for i, name := range names {
		list[i] = metav1.TableColumnDefinition{Name: name, Type: "string"}
		if i >= narrow {
			list[i].Priority = 1
		}
	}
	return list
}

func ago(at *metav1.Time, now time.Time) string {
	if at == nil {
		return none
	}
	return human.HumanDuration(now.Sub(at.Time)) + " ago"
}

func stamp(at *metav1.Time) string {
	if at == nil {
		return none
	}
	return at.UTC().Format(time.RFC3339)
}

func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }

func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}
