// Package doctor is the command that says what is wrong with a federation, the gravest
// first, each with the command that helps. What it says is found out by package checkup.
package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/checkup"
	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/finding"
	"github.com/fedctl/fedctl/internal/view"
)

// exitFailures is the exit code when something is wrong; 1 is a failure to find out.
const exitFailures = 2

const long = `Say what is wrong with the federation, the gravest first, each with since when and
with the command that helps: the controller does not run or lead, members that are not
ready, credentials that end, rights that are too wide or missing, members that another
host has joined as well, clocks that are apart, definitions and policies of another
version, and federated objects in trouble, grouped by what is wrong with them. It only
reads.

A FAILURE does not do now what somebody has asked for. A WARNING is odd, or will be a
failure. A NOTE does no harm. -o wide has the names of all objects.

The exit code is 0 if there is no failure, 2 if there is one, and 1 if there is none
among what could be read, but not all could. Members are asked with the control plane's
credentials; who may not read those is told so. Which other hosts have joined them is only
known where ServiceAccounts are federated: the control plane may then read them.`

const example = `  # What is wrong, and what to do
  fedctl doctor

  # For a script
  fedctl doctor -o json | jq -r '.findings[] | select(.level == "failure") | .message'`

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Output cmdutil.Output
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(view.Wide, view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Say what is wrong with the federation, and what helps",
		Long:    long,
		Example: example,
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
func (o *Options) Validate() error { return o.Output.Validate() }

// Run reads, judges and prints.
func (o *Options) Run(ctx context.Context) error {
	stop := o.factory.Tell(func() string { return "reading the host, and asking its members" })
	report, err := checkup.Examine(ctx, o.factory)
	stop()
	if err != nil {
		return err
	}
	if err := o.print(&report); err != nil {
		return err
	}
	switch {
	case !report.Healthy:
		return cmdutil.ExitError{Code: exitFailures, Err: errors.New("something is wrong: see the failures in the report")}
	case !report.Complete:
		return errors.New("not all could be read: see what is unreadable in the report")
	}
	return nil
}

func (o *Options) print(r *diagnosis.Report) error {
	printer := o.Output.Printer(o.factory)
	if !printer.ShowsTable() {
		return printer.PrintDocument(r)
	}
	verdict := "Nothing is wrong."
	switch {
	case !r.Healthy:
		verdict = "Something is wrong."
	case !r.Complete:
		verdict = "Nothing has failed of what could be read."
	case len(r.Findings) > 0:
		verdict = "Nothing has failed."
	}
	if _, err := fmt.Fprintf(o.factory.Out, "%s Looked at the control plane in namespace %s, %d member(s), %d type(s) and %d federated object(s).\n",
		verdict, r.Namespace, r.Clusters, r.Types, r.Objects); err != nil {
		return err
	}
	return finding.Write(o.factory.Out, r.Findings, o.Output.Format == view.Wide)
}
