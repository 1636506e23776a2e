// Package support is the command group for those who ask somebody for help. Its one
// command, dump, writes what a maintainer needs into a folder, without what users have
// written into objects.
//
//	support.go  the command
//	dump.go     what is written
//	logs.go     the controller's Pods and logs
//	files.go    its files
//	redaction   what of an object may be given away: pure
package support

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

const long = `Write what somebody needs who is to help, into a folder: the report of fedctl doctor,
versions, the objects of the control plane, the federated objects with their placement
and status, events, and the controller's logs.

Left out are Secrets, and the content of objects: templates, values of overrides and
policies, variables, commands, what members say in collected statuses, and annotations
that are not fedctl's. Names of objects, clusters and namespaces, addresses and messages
are in it: look through it before you give it away.

What could not be read is told, and is in not-read.txt; the exit code is then not 0, and
what there is can be given away all the same.`

const example = `  fedctl support dump ./fedctl-dump
  tar -czf fedctl-dump.tar.gz fedctl-dump`

// NewCommand returns the command group.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "support",
		Short: "Gather what somebody needs who is to help",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newDumpCommand(f))
	return cmd
}

// Options are the arguments of support dump.
type Options struct {
	factory *cmdutil.Factory

	Dir string
}

func newDumpCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f}
	return &cobra.Command{
		Use:     "dump DIR",
		Short:   "Write reports, objects without their content, events and logs into a folder",
		Long:    long,
		Example: example,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir = args[0]
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
}

// Validate refuses a folder that holds anything: nothing of it would be told apart from
// what is written.
func (o *Options) Validate() error {
	entries, err := os.ReadDir(o.Dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: name a new folder", o.Dir)
	}
	return nil
}

// Run writes the dump. What cannot be read is told in it, and on standard error.
func (o *Options) Run(ctx context.Context) error {
	d, err := newDump(o.factory, o.Dir)
	if err != nil {
		return err
	}
	stop := o.factory.Tell(func() string { return ptr.Deref(d.at.Load(), "") })
	err = d.write(ctx)
	stop()
	if err != nil {
		return err
	}
	return d.report()
}

// report says what the dump holds; one that lacks something is no success.
func (d *dump) report() error {
	for _, problem := range d.problems {
		_, _ = fmt.Fprintf(d.factory.ErrOut, "warning: %s\n", problem)
	}
	if _, err := fmt.Fprintf(d.factory.Out, "%s holds %d files, without Secrets and without the content of objects.\nNames, addresses and messages are in it: look through it before you give it away.\n", d.dir, d.files); err != nil {
		return err
	}
	if len(d.problems) > 0 {
		return fmt.Errorf("not all could be read: %s says what is missing", filepath.Join(d.dir, notRead))
	}
	return nil
}
