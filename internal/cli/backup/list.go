package backup

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

// listOptions are the flags of list.
type listOptions struct {
	output
	Namespace      string
	All            bool
	Clusters       []string
	RequestTimeout time.Duration
}

func newListCommand(f *cmdutil.Factory) *cobra.Command {
	o := &listOptions{output: newOutput(f)}
	cmd := &cobra.Command{
		Use:     "list [NAME]",
		Aliases: []string{"ls"},
		Short:   "List the runs of backups in all clusters",
		Long: `List the runs of the Backups in all member clusters, or those of the Backup NAME, the
newest first.

All members are asked at once. One that does not answer in time has a line with the
phase Unknown, before all others, and the reason is told as well.`,
		Example: `  fedctl backup list -A

  # The runs of one Backup in one cluster, with messages
  fedctl backup list nightly -n shop --clusters member-1 -o wide`,
		Args: cobra.MaximumNArgs(1),

		ValidArgsFunction: fedtypes.First(completeFederated(f, &o.Namespace)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.All {
				o.Namespace = ""
			}
			return o.run(cmd.Context(), cmp.Or(append(args, "")...))
		},
	}
	o.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&o.Namespace, "namespace", "n", "default", "Namespace of the Backups.")
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
	flags.BoolVarP(&o.All, "all-namespaces", "A", false, "Backups of all namespaces.")
	flags.StringSliceVar(&o.Clusters, "clusters", nil, "Only these member clusters.")
	flags.DurationVar(&o.RequestTimeout, "request-timeout", defaultRequestTimeout, requestTimeoutUsage)
	_ = cmd.RegisterFlagCompletionFunc("clusters", fedtypes.CompleteClusters(f))
	return cmd
}

func (o *listOptions) run(ctx context.Context, backup string) error {
	if err := o.validate(); err != nil {
		return err
	}
	fleet, err := newFleet(o.factory, o.RequestTimeout)
	if err != nil {
		return err
	}
	clusters, err := fleet.clusters(ctx, o.Clusters)
	if err != nil {
		return err
	}
	states, err := fleet.read(ctx, clusters, what{namespace: o.Namespace, runs: true})
	if err != nil {
		return err
	}
	o.tellSilent(states)
	rows := view.Runs(found(states), backup)
	return o.print(view.List{Items: rows, Names: view.RunNames(rows), Table: view.RunTable(rows, time.Now())}, "No runs were found in any cluster.")
}
