// Package export is the command that writes a federation's objects into a folder, from which
// "fedctl import" makes the same federation on another host.
//
//	export.go  the command
//	gather.go  what is exported, in which order
//	list.go    one kind of objects, read page by page
//
// The format is that of internal/exported.
package export

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/exported"
	"github.com/fedctl/fedctl/internal/version"
	"github.com/fedctl/fedctl/internal/view"
)

const long = `Write the federation of the host into a folder, as plain manifests: what users and
operators have written, so that "fedctl import" makes the same federation on another host
when this one is lost. That is the definitions of federated types, FederatedTypeConfigs,
the KubeFedConfig, KubeFedClusters with labels and annotations, what somebody has set in
ClusterCapacities, policies, WorkloadKinds, federated objects of all types with their
namespaces, ReplicaSchedulingPreferences, and Backups of the host itself, which are
suspended.

No Secret is written: not the tokens of members, which join again. Federated Secrets hold
what they are made of in their templates, in clear: say whether they are to be included or
omitted. Templates and overrides of other types may hold secrets as well: only you may read
the folder.

A name that ends with .tar.gz or .tgz makes one file of the folder. It gets its name when
all is written. An export that has failed, or was
interrupted, leaves none of that name, and import refuses it. The host is only read, page
by page; an object that changes meanwhile is as it was or as it is.`

const example = `  # What is needed should the host be lost
  fedctl export ./federation --secrets include

  # Every night, as one file under the day's name, without what is in Secrets
  fedctl export /backups/federation-$(date +%F).tar.gz --secrets omit`

// What --secrets takes.
const (
	include = "include"
	omit    = "omit"
)

var secretsChoices = []string{include, omit}

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Path    string
	Secrets string
	Output  cmdutil.Output
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:     "export DIR|FILE",
		Short:   "Write the federation into a folder, for another host",
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
	cmd.Flags().StringVar(&o.Secrets, "secrets", "", "What becomes of federated Secrets, whose templates hold them in clear: include or omit. Needed where there are any.")
	_ = cmd.RegisterFlagCompletionFunc("secrets", cobra.FixedCompletions(secretsChoices, cobra.ShellCompDirectiveNoFileComp))
	o.Output.AddFlag(cmd, "Print what the export holds")
	return cmd
}

// Validate checks flags that need no cluster.
func (o *Options) Validate() error {
	switch extension := filepath.Ext(o.Path); {
	case o.Path == "":
		return errors.New("name the folder, or the file, that the export is written to")
	case slices.Contains([]string{".tar", ".gz", ".zip"}, extension) && !exported.IsArchive(o.Path):
		return fmt.Errorf("%s: an export that is one file ends in .tar.gz or .tgz, and any other name is a folder's, which cannot end in %s", o.Path, extension)
	}
	if o.Secrets != "" && !slices.Contains(secretsChoices, o.Secrets) {
		return fmt.Errorf("--secrets takes %s, not %q", strings.Join(secretsChoices, " or "), o.Secrets)
	}
	return o.Output.Validate()
}

// Run writes the export.
func (o *Options) Run(ctx context.Context) error {
	host, err := o.factory.HostClient()
	if err != nil {
		return err
	}
	g := &gathering{factory: o.factory, host: host, secrets: o.Secrets, now: time.Now(), contents: exported.New(version.Get(), time.Now())}
	return o.write(ctx, g)
}

func (o *Options) write(ctx context.Context, g *gathering) error {
	if err := o.gather(ctx, g); err != nil {
		return err
	}
	if err := o.print(g.contents); err != nil {
		return fmt.Errorf("%s is written and whole, and only what it holds could not be printed: %w", o.Path, err)
	}
	return nil
}

func (o *Options) gather(ctx context.Context, g *gathering) (err error) {
	defer o.factory.Tell(g.said)()
	if err := g.begin(ctx); err != nil {
		return err
	}
	if g.folder, err = exported.Create(o.Path); err != nil {
		return err
	}
	if err = g.write(ctx); err == nil {
		err = g.folder.Finish(g.contents)
	}
	if err != nil {
		return fmt.Errorf("nothing was exported: %w", errors.Join(err, g.folder.Abandon()))
	}
	return nil
}

func (o *Options) print(c *exported.Contents) error {
	for _, note := range c.Notes {
		_, _ = fmt.Fprintf(o.factory.ErrOut, "note: %s\n", note)
	}
	printer := o.Output.Printer(o.factory)
	if !printer.ShowsTable() {
		return printer.PrintDocument(c)
	}
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "File", Type: "string"}, {Name: "Objects", Type: "integer"}, {Name: "Bytes", Type: "integer"},
	}}
	for _, f := range c.Files {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{f.Name, int64(f.Objects), f.Bytes}})
	}
	if err := printer.PrintTable(table); err != nil {
		return err
	}
	secrets := "there are no federated Secrets"
	switch c.Secrets {
	case exported.Included:
		secrets = "federated Secrets are in it, in clear: keep it as you keep passwords"
	case exported.Omitted:
		secrets = "federated Secrets are not in it"
	}
	_, err := fmt.Fprintf(o.factory.Out, "%s holds %d objects of %d member(s); %s.\nOn another host: fedctl import %s\n", o.Path, c.Objects, len(c.Members), secrets, o.Path)
	return err
}
