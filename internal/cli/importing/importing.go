// Package importing is the command "import", which makes the federation of an export on
// another host.
//
//	importing.go  the command
//	host.go       whether the host can be imported into
//	allowance.go  what an export may hold
//	plan.go       what is there, and what is to become of each object; refusals
//	each.go       several objects at a time, and how far that has got
//	object.go     one object: looked at, written
//	carryout.go   doing it, in order
//	report.go     what is printed
//
// The format of an export is that of internal/exported. No member is touched: those of the
// export join afterwards.
package importing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/exported"
	"github.com/fedctl/fedctl/internal/view"
)

const long = `Make the federation of an export on this host, which takes the place of the one that the
export is of. The control plane must be installed here, and its controller must not run:
what it does not find yet it would take for deleted, and let go of in members that join.

First everything is looked at, and nothing is written if the export is not whole, if this
host has a federation with other objects, or if objects are here that differ: --existing=keep
leaves those as they are, --existing=update makes them what the export says. Nothing is ever
deleted, and no member is touched. Interrupted or failed, the command is repeated, and does
the rest.

Then the members join again, under the names that they had: what is in them is taken up as
it is. --dry-run says what would be done, and asks the host about each object.`

const example = `  # On a new host, with the clusters of an old one that is lost
  fedctl install --without-controller
  fedctl import ./federation --dry-run
  fedctl import ./federation
  fedctl join berlin --cluster-context admin@berlin --take-over
  fedctl install --image registry.example.com/fedctl/controller:v1`

// What becomes of objects that are here and differ.
const (
	keep   = "keep"
	update = "update"
)

var existingChoices = []string{keep, update}

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Path     string
	Existing string
	DryRun   bool
	Output   cmdutil.Output
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "import DIR|FILE",
		Short:   "Make the federation of an export on this host",
		Long:    long,
		Example: example,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Path = args[0]
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "Change nothing; say what would be done, and what the host would refuse.")
	cmd.Flags().StringVar(&o.Existing, "existing", "", "What becomes of objects that are here and differ from the export: keep or update. Also lets objects be here that are not in the export. By default, nothing is imported then.")
	_ = cmd.RegisterFlagCompletionFunc("existing", cobra.FixedCompletions(existingChoices, cobra.ShellCompDirectiveNoFileComp))
	o.Output.AddFlag(cmd, "Print what was done, or with --dry-run would be")
	return cmd
}

// Validate checks flags that need no cluster.
func (o *Options) Validate() error {
	if o.Existing != "" && !slices.Contains(existingChoices, o.Existing) {
		return fmt.Errorf("--existing takes %s, not %q", strings.Join(existingChoices, " or "), o.Existing)
	}
	return o.Output.Validate()
}

// Run plans, and carries out.
func (o *Options) Run(ctx context.Context) error {
	stop := o.factory.Tell(func() string { return "reading " + o.Path })
	dir, done, err := exported.Open(o.Path)
	if err != nil {
		stop()
		return err
	}
	contents, err := exported.Read(dir)
	if err == nil {
		err = contents.Verify(dir)
	}
	stop()
	if err == nil {
		err = o.run(ctx, dir, contents)
	}
	return errors.Join(err, done())
}

func (o *Options) run(ctx context.Context, dir string, contents *exported.Contents) error {
	host, err := o.factory.HostClient()
	if err != nil {
		return err
	}
	i := newImporting(o, dir, host, contents)
	stop := o.factory.Tell(i.progress.said)
	err = i.plan(ctx)
	if err != nil {
		stop()
		return err
	}
	if err := i.refusal(); err != nil {
		stop()
		i.report.Kinds = []*Counts{}
		return i.report.end(o, err)
	}
	if !o.DryRun {
		err = i.carryOut(ctx)
	}
	stop() // before anything is printed
	return i.report.end(o, i.report.outcome(err))
}
