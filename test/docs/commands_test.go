package docs_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli"
)

// The reference has a row for each command, with its flags and the formats of -o.
func TestRowsOfCommandsNameTheirFlags(t *testing.T) {
	rows := strings.Split(read(t, "docs/reference.md"), "\n")
	checked := 0
	var walk func(*cobra.Command)
	walk = func(command *cobra.Command) {
		for _, child := range command.Commands() {
			walk(child)
		}
		name := command.CommandPath()
		if parent := command.Parent(); parent != nil && parent.Name() == "orphaning-deletion" {
			name = parent.CommandPath() // they share a row
		}
		if command.HasSubCommands() || command.Hidden || strings.HasPrefix(name, "fedctl local ") || strings.HasPrefix(name, "fedctl completion") || name == "fedctl help" {
			return
		}
		i := slices.IndexFunc(rows, func(row string) bool {
			return strings.HasPrefix(row, "| `"+name+"`") || strings.HasPrefix(row, "| `"+name+" ")
		})
		if i < 0 {
			t.Errorf("%s has no row in the reference", name)
			return
		}
		checked++
		command.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
			if flag.Hidden || flag.Name == "help" || flag.Name == "output" {
				return
			}
			if !strings.Contains(rows[i], "`--"+flag.Name) && (flag.Shorthand == "" || !strings.Contains(rows[i], "`-"+flag.Shorthand)) {
				t.Errorf("the row of %s does not name --%s", name, flag.Name)
			}
		})
		if complete, found := command.GetFlagCompletionFunc("output"); found && command.Flag("output") != nil {
			formats, _ := complete(command, nil, "")
			if want := "`-o " + strings.Join(formats, `\|`) + "`"; !strings.Contains(rows[i], want) {
				t.Errorf("the row of %s does not name %s", name, want)
			}
		}
	}
	walk(cli.NewCommand("fedctl", genericiooptions.NewTestIOStreamsDiscard()))
	if checked < 20 {
		t.Errorf("only %d commands were looked at", checked)
	}
}
