package backup

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

// How much of a cluster's runs is described.
const (
	recentRuns     = 5
	recentWarnings = 10
)

type describeOptions struct {
	factory        *cmdutil.Factory
	Namespace      string
	RequestTimeout time.Duration
}

func newDescribeCommand(f *cmdutil.Factory) *cobra.Command {
	o := &describeOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "describe NAME",
		Short: "Tell all about a Backup, and what to do next",
		Long: `Tell all about a Backup: its policy, and for each cluster its conditions, its recent
runs, the warnings of the last one, and what to do next. NAME is a FederatedBackup, or
a Backup that was made in a member cluster.`,
		Example: `  fedctl backup describe nightly -n shop`,
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: fedtypes.First(completeFederated(f, &o.Namespace)),
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().StringVarP(&o.Namespace, "namespace", "n", "default", "Namespace of the Backup.")
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
	cmd.Flags().DurationVar(&o.RequestTimeout, "request-timeout", defaultRequestTimeout, requestTimeoutUsage)
	return cmd
}

func (o *describeOptions) run(ctx context.Context, name string) error {
	fleet, err := newFleet(o.factory, o.RequestTimeout)
	if err != nil {
		return err
	}
	clusters, err := fleet.clusters(ctx, nil)
	if err != nil {
		return err
	}
	federated, err := fleet.federated(ctx, o.Namespace)
	if err != nil {
		return err
	}
	states, err := fleet.read(ctx, clusters, what{namespace: o.Namespace, runs: true})
	if err != nil {
		return err
	}
	d := description{namespace: o.Namespace, name: name, states: states}
	for i := range federated {
		if federated[i].GetName() == name {
			d.federated = &federated[i]
		}
	}
	if !d.found() {
		return d.notFound()
	}
	return d.print(o.factory.Out, time.Now())
}

// description is what is known of a Backup in all clusters.
type description struct {
	namespace, name string
	// federated is nil for a Backup that was made in members.
	federated *unstructured.Unstructured
	states    []memberState
}

// backup is the Backup in a cluster, nil if it is not there.
func (d *description) backup(state *memberState) *backupv1alpha1.Backup {
	for i := range state.Backups {
		if state.Backups[i].Name == d.name {
			return &state.Backups[i]
		}
	}
	return nil
}

func (d *description) found() bool {
	return d.federated != nil || slices.ContainsFunc(d.states, func(s memberState) bool { return d.backup(&s) != nil })
}

func (d *description) notFound() error {
	var silent []string
	for i := range d.states {
		if d.states[i].Silent() {
			silent = append(silent, d.states[i].Cluster)
		}
	}
	if len(silent) > 0 {
		return fmt.Errorf("no FederatedBackup and no Backup is named %s in namespace %s; not known of %q, which could not be read", d.name, d.namespace, silent)
	}
	return fmt.Errorf("no FederatedBackup and no Backup is named %s in namespace %s; see \"fedctl backup status -A\"", d.name, d.namespace)
}

// placed are the clusters whose status the FederatedBackup has.
func (d *description) placed() map[string]bool {
	names := map[string]bool{}
	if d.federated == nil {
		return names
	}
	clusters, _, _ := unstructured.NestedSlice(d.federated.Object, "status", "clusters")
	for _, element := range clusters {
		if entry, ok := element.(map[string]any); ok {
			name, _ := entry["name"].(string)
			names[name] = true
		}
	}
	return names
}

// policy is that of the FederatedBackup's template, or else of the first cluster.
func (d *description) policy() (spec backupv1alpha1.BackupSpec, err error) {
	if d.federated != nil {
		raw, _, _ := unstructured.NestedMap(d.federated.Object, "spec", "template", "spec")
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &spec); err != nil {
			return spec, fmt.Errorf("spec.template of FederatedBackup %s/%s: %w", d.namespace, d.name, err)
		}
		return spec, nil
	}
	for i := range d.states {
		if b := d.backup(&d.states[i]); b != nil {
			return b.Spec, nil
		}
	}
	return spec, nil
}

func (d *description) print(to io.Writer, now time.Time) error {
	spec, err := d.policy()
	if err != nil {
		return err
	}
	policy := policyOf(&spec)
	origin := "Backups in member clusters"
	if d.federated != nil {
		origin = "FederatedBackup"
	}
	w := printers.GetNewTabWriter(to)
	fmt.Fprintf(w, "Name:\t%s\nNamespace:\t%s\nOrigin:\t%s\n", d.name, d.namespace, origin)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(to, "Policy:")
	printPolicy(to, policy)
	placed := d.placed()
	for i := range d.states {
		state := &d.states[i]
		b := d.backup(state)
		// A cluster that has not answered may hold a Backup that nobody else knows of.
		if b == nil && !placed[state.Cluster] && (d.federated != nil || !state.Silent()) {
			continue
		}
		fmt.Fprintf(to, "\nCluster %s:\n", state.Cluster)
		if b != nil {
			d.printCluster(to, state, b, policy, now)
		} else if state.Reason != "" {
			fmt.Fprintf(to, "  %s: %s: %s\n", view.Unknown, state.Reason, view.Text(state.Message))
		}
		fmt.Fprintf(to, "  What to do next: %s\n", next(state, b, d.federated, now))
	}
	return nil
}

func (d *description) printCluster(to io.Writer, state *memberState, b *backupv1alpha1.Backup, policy []term, now time.Time) {
	if own := differing(policy, policyOf(&b.Spec)); len(own) > 0 {
		fmt.Fprintln(to, "  Policy here:")
		printPolicy(to, own)
	}
	last, run := "never", ""
	if good := b.Status.LastSuccess; good != nil {
		last, run = view.Ago(good.Time, now), " ("+good.Name+")"
	}
	fmt.Fprintf(to, "  Last good run: %s%s\n  Next run: %s\n", last, run, view.Stamp(b.Status.NextRun))
	conditions := &metav1.Table{ColumnDefinitions: view.Columns(4, "Condition", "Status", "Reason", "Message")}
	for i := range b.Status.Conditions {
		c := &b.Status.Conditions[i]
		conditions.Rows = append(conditions.Rows, metav1.TableRow{Cells: []any{c.Type, string(c.Status), view.Text(c.Reason), view.Text(c.Message)}})
	}
	_ = view.PrintIndented(to, conditions)
	runs := view.Runs([]view.MemberBackups{state.MemberBackups}, d.name)
	recent := &metav1.Table{ColumnDefinitions: view.Columns(8, "Run", "Phase", "Started", "Duration", "Objects", "Size", "Verified", "Reason")}
	for _, row := range view.RunTable(runs[:min(len(runs), recentRuns)], now).Rows {
		recent.Rows = append(recent.Rows, metav1.TableRow{Cells: row.Cells[2:10]})
	}
	_ = view.PrintIndented(to, recent)
	if len(runs) > 0 {
		printWarnings(to, state, runs[0].Run)
	}
}

func printWarnings(to io.Writer, state *memberState, name string) {
	i := slices.IndexFunc(state.Runs, func(r backupv1alpha1.BackupRun) bool { return r.Name == name })
	run := &state.Runs[i]
	if run.Status.Message != "" {
		fmt.Fprintf(to, "  Message of %s: %s\n", name, view.Text(run.Status.Message))
	}
	if len(run.Status.Warnings) == 0 {
		return
	}
	fmt.Fprintf(to, "  Warnings of %s:\n", name)
	for _, line := range warningLines(run, state.context) {
		fmt.Fprintf(to, "    %s\n", line)
	}
}

// warningLines are the first warnings of a run, and where more are.
func warningLines(run *backupv1alpha1.BackupRun, context string) []string {
	var lines []string
	warnings := run.Status.Warnings
	for _, warning := range warnings[:min(len(warnings), recentWarnings)] {
		lines = append(lines, strings.TrimPrefix(subject(&warning)+": "+view.Text(warning.Message), ": "))
	}
	if more := len(warnings) - recentWarnings; more > 0 {
		at := ""
		if context != "" {
			at = "--context " + errtext.Argument(context) + " "
		}
		lines = append(lines, fmt.Sprintf("and %d more: kubectl %s-n %s get backupruns.backup.fedctl.io %s -o yaml", more, at, errtext.Argument(run.Namespace), errtext.Argument(run.Name)))
	}
	return lines
}

// exceptional is a run with those of its warnings that are not the same in every run.
func exceptional(run *backupv1alpha1.BackupRun) *backupv1alpha1.BackupRun {
	out := run.DeepCopy()
	out.Status.Warnings = slices.DeleteFunc(out.Status.Warnings, func(w backupv1alpha1.ResourceWarning) bool {
		return strings.HasPrefix(w.Message, backupv1alpha1.LeftOut)
	})
	return out
}

// subject is what a warning is about.
func subject(warning *backupv1alpha1.ResourceWarning) string {
	switch {
	case warning.Name != "" && warning.Namespace != "":
		return warning.Resource + " " + warning.Namespace + "/" + warning.Name
	case warning.Name != "":
		return warning.Resource + " " + warning.Name
	case warning.Resource != "":
		return warning.Resource
	}
	return "the run"
}
