// Package migrate is the command group for moving from KubeFed. Its one command,
// check, reads the host cluster and reports; it writes nothing anywhere.
package migrate

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/migrate/analysis"
	"github.com/fedctl/fedctl/internal/view"
)

// exitBlocked is the exit code when something blocks the move; 1 is a failure to find out.
const exitBlocked = 2

const checkLong = `Report what fedctl takes over from KubeFed in this host cluster, what is odd about
it, and what to run, in order. It only reads, and may be run at any time: while
KubeFed runs, after it was stopped, and after the move.

Findings have three levels. What BLOCKS has to be mended first, because fedctl would
not carry it out as KubeFed does. A WARNING is odd under KubeFed as well: a member that
is not ready, a deletion that does not end, a name no cluster has. A NOTE is something
that differs and does no harm. -o wide has the names of all objects, and the settings.

The exit code is 0 if nothing blocks, 2 if something does, and 1 if that could not be
found out.`

const checkExample = `  # What would be taken over, and what to run
  fedctl migrate check --host-cluster-context host

  # With the names of all objects
  fedctl migrate check -o wide

  # For a script
  fedctl migrate check -o json | jq -r '.findings[] | select(.level == "blocks") | .message'`

// NewCommand returns the command group.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Prepare the move from KubeFed",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newCheckCommand(f))
	return cmd
}

// CheckOptions are the flags of migrate check.
type CheckOptions struct {
	factory *cmdutil.Factory

	Output cmdutil.Output
}

func newCheckCommand(f *cmdutil.Factory) *cobra.Command {
	o := &CheckOptions{factory: f, Output: cmdutil.NewOutput(view.Wide, view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Report what fedctl takes over from KubeFed, and what is odd about it",
		Long:    checkLong,
		Example: checkExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.Output.AddFlag(cmd, "Output format")
	return cmd
}

// Validate checks flags that need no cluster.
func (o *CheckOptions) Validate() error { return o.Output.Validate() }

// Run reads, judges and prints.
func (o *CheckOptions) Run(ctx context.Context) error {
	g, err := newGatherer(o.factory)
	if err != nil {
		return err
	}
	input, err := g.gather(ctx)
	if err != nil {
		return err
	}
	report := analysis.Analyze(*input)
	if err := printReport(o.Output.Printer(o.factory), &report); err != nil {
		return err
	}
	if !report.Ready {
		return cmdutil.ExitError{Code: exitBlocked, Err: errors.New("not ready for the move: see what blocks in the report")}
	}
	return nil
}
