package backup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	human "k8s.io/apimachinery/pkg/util/duration"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
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
	o := &listOptions{output: output{factory: f}}
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
	states := fleet.read(ctx, clusters, what{namespace: o.Namespace, runs: true})
	rows := runRows(states, backup)
	for _, state := range states {
		if state.silent() {
			fmt.Fprintf(o.factory.ErrOut, "%s: %s\n", state.cluster, state.message)
		}
	}
	var names []string
	for i := range rows {
		if rows[i].Run != "" {
			names = append(names, "backuprun.backup.fedctl.io/"+rows[i].Run)
		}
	}
	return o.print(rows, names, runTable(rows, time.Now()), "No runs were found in any cluster.")
}

// runRow is a BackupRun in one cluster; without a name, a cluster that was not read.
type runRow struct {
	Cluster     string                  `json:"cluster"`
	Namespace   string                  `json:"namespace,omitempty"`
	Backup      string                  `json:"backup,omitempty"`
	Run         string                  `json:"run,omitempty"`
	Phase       backupv1alpha1.RunPhase `json:"phase"`
	Started     *metav1.Time            `json:"started,omitempty"`
	Duration    *metav1.Duration        `json:"duration,omitempty"`
	Objects     int64                   `json:"objects"`
	Bytes       int64                   `json:"bytes"`
	StoredBytes int64                   `json:"storedBytes"`
	Verified    *metav1.Time            `json:"verified,omitempty"`
	Repository  string                  `json:"repository,omitempty"`
	Reason      string                  `json:"reason,omitempty"`
	Message     string                  `json:"message,omitempty"`

	at time.Time
}

// runRows has a row for each member that was not read, and then for each run, the
// newest first; backup is empty for all.
func runRows(states []memberState, backup string) []runRow {
	rows := []runRow{}
	for i := range states {
		state := &states[i]
		if state.silent() {
			rows = append(rows, runRow{Cluster: state.cluster, Phase: unknown, Reason: state.reason, Message: state.message})
		}
		for j := range state.runs {
			if run := &state.runs[j]; backup == "" || run.Spec.BackupRef.Name == backup {
				rows = append(rows, runRowOf(state.cluster, run))
			}
		}
	}
	slices.SortFunc(rows, func(a, b runRow) int {
		switch {
		case a.Run == "" && b.Run != "":
			return -1
		case a.Run != "" && b.Run == "":
			return 1
		}
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Run, b.Run))
	})
	return rows
}

func runRowOf(cluster string, run *backupv1alpha1.BackupRun) runRow {
	status := &run.Status
	r := runRow{
		Cluster: cluster, Namespace: run.Namespace, Backup: run.Spec.BackupRef.Name, Run: run.Name,
		Phase: cmp.Or(status.Phase, backupv1alpha1.RunPending), Started: status.StartTime, Duration: status.Duration,
		Objects: status.Totals.Objects, Bytes: status.Totals.Bytes, StoredBytes: status.Totals.StoredBytes,
		Verified: status.Verified, Repository: status.Repository, Reason: status.Reason, Message: status.Message,
		at: run.CreationTimestamp.Time,
	}
	if status.StartTime != nil {
		r.at = status.StartTime.Time
	}
	return r
}

func runTable(rows []runRow, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: columns(10, "Cluster", "Backup", "Run", "Phase", "Started", "Duration", "Objects", "Size", "Verified", "Reason", "Stored", "Repository", "Message")}
	for i := range rows {
		r := &rows[i]
		cells := []any{r.Cluster, none, none, string(r.Phase), none, none, none, none, none, orNone(r.Reason), none, none, orNone(oneLine(r.Message))}
		if r.Run != "" {
			copy(cells[1:], []any{r.Namespace + "/" + r.Backup, r.Run})
			copy(cells[4:], []any{ago(r.Started, now), lasted(r, now), r.Objects, size(r.Bytes), ago(r.Verified, now)})
			copy(cells[10:], []any{size(r.StoredBytes), orNone(r.Repository)})
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: cells})
	}
	return table
}

// lasted is how long a run took, or has taken so far.
func lasted(r *runRow, now time.Time) string {
	switch {
	case r.Duration != nil:
		return r.Duration.Round(time.Second).String()
	case r.Phase == backupv1alpha1.RunRunning && r.Started != nil:
		return human.HumanDuration(now.Sub(r.Started.Time)) + " so far"
	}
	return none
}
