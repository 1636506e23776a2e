package backup

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/view"
)

// output prints rows in the format that was asked for.
type output struct {
	factory *cmdutil.Factory
	flag    cmdutil.Output
}

func newOutput(f *cmdutil.Factory) output {
	return output{factory: f, flag: cmdutil.NewOutput(cmdutil.TableFormats...)}
}

func (o *output) addFlags(cmd *cobra.Command) { o.flag.AddFlag(cmd, "Output format") }

func (o *output) validate() error { return o.flag.Validate() }

// print prints the rows. empty is what is said where a table would have none.
func (o *output) print(list view.List, empty string) error {
	printer := o.flag.Printer(o.factory)
	if printer.ShowsTable() && len(list.Table.Rows) == 0 {
		_, err := fmt.Fprintln(o.factory.ErrOut, empty)
		return err
	}
	return printer.Print(list)
}

// tellSilent tells of the members whose backups are not known, beside the rows.
func (o *output) tellSilent(states []memberState) {
	for i := range states {
		if states[i].Silent() {
			fmt.Fprintf(o.factory.ErrOut, "%s: %s\n", states[i].Cluster, states[i].Message)
		}
	}
}
