package backup

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	target
	Repository, FromCluster, Run, Time string
	Existing                           string
	Mapping                            map[string]string
	Namespaces, Resources              []string
	RestoredBackups                    string
	DryRun                             bool
}

func newRestoreCommand(f *cmdutil.Factory) *cobra.Command {
	o := &restoreOptions{target: target{factory: f}}
	cmd := &cobra.Command{
		Use:   "restore BACKUP",
		Short: "Restore what a Backup has saved",
		Long: `Restore what a Backup has saved, by its newest good run or the one that is named.

BACKUP is a name in the namespace of -n, or <namespace>/<name>. The data is read from
the BackupRepository --repository, in that namespace of the cluster that is restored
into. For the data of another cluster, that is a BackupRepository with readOnly: true.`,
		Example: `  # What would be restored of the newest run
  fedctl backup restore nightly -n shop --cluster member-1 --repository store --dry-run --wait

  # The namespace shop as copy, as it was in the evening
  fedctl backup restore nightly -n shop --repository store --time 2030-01-31T20:00:00Z --namespace-mapping shop=copy`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.restore(cmd.Context(), args[0]) },

		ValidArgsFunction: fedtypes.First(o.complete(&backupv1alpha1.BackupList{})),
	}
	o.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.Repository, "repository", "", "BackupRepository to read from.")
	flags.StringVar(&o.FromCluster, "from-cluster", "", "UID of the cluster whose data is restored (of its namespace kube-system); by default this one.")
	flags.StringVar(&o.Run, "run", "", "BackupRun to restore; by default the newest good one.")
	flags.StringVar(&o.Time, "time", "", "Restore the newest good run that had ended by then, such as 2030-01-31T20:00:00Z.")
	flags.StringVar(&o.Existing, "existing", "Skip", "What to do with objects that exist: Skip, Update or Fail.")
	flags.StringToStringVar(&o.Mapping, "namespace-mapping", nil, "Restore a namespace into another one: FROM=TO; may be repeated.")
	flags.StringSliceVar(&o.Namespaces, "namespaces", nil, "Restore only these of the saved namespaces.")
	flags.StringSliceVar(&o.Resources, "resources", nil, "Restore only these resources, each <plural>[.<group>].")
	flags.StringVar(&o.RestoredBackups, "restored-backups", "Suspend", "What becomes of Backups that are restored into another namespace or cluster: Suspend or Keep.")
	flags.BoolVar(&o.DryRun, "dry-run", false, "Only say what would be restored.")
	_ = cmd.MarkFlagRequired("repository")
	_ = cmd.RegisterFlagCompletionFunc("repository", o.complete(&backupv1alpha1.BackupRepositoryList{}))
	_ = cmd.RegisterFlagCompletionFunc("run", o.complete(&backupv1alpha1.BackupRunList{}))
	_ = cmd.RegisterFlagCompletionFunc("existing", cobra.FixedCompletions(existingChoices, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("restored-backups", cobra.FixedCompletions(backupsChoices, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

var (
	existingChoices = []string{"Skip", "Update", "Fail"}
	backupsChoices  = []string{"Suspend", "Keep"}
)

// oneOf is the choice that a flag means, whatever its case.
func oneOf(flag, value string, choices []string) (string, error) {
	for _, choice := range choices {
		if strings.EqualFold(choice, value) {
			return choice, nil
		}
	}
	last := len(choices) - 1
	return "", fmt.Errorf("--%s takes %s and %s, not %q", flag, strings.Join(choices[:last], ", "), choices[last], value)
}

// choose makes the choices what the API calls them.
func (o *restoreOptions) choose() (err error) {
	if o.Existing, err = oneOf("existing", o.Existing, existingChoices); err != nil {
		return err
	}
	o.RestoredBackups, err = oneOf("restored-backups", o.RestoredBackups, backupsChoices)
	return err
}

// object is the Restore to create.
func (o *restoreOptions) object(backup string) (*backupv1alpha1.Restore, error) {
	object := &backupv1alpha1.Restore{ObjectMeta: metav1.ObjectMeta{Namespace: o.Namespace, GenerateName: "restore-"}}
	object.Spec = backupv1alpha1.RestoreSpec{
		From: backupv1alpha1.RestoreSource{
			RepositoryRef: backupv1alpha1.LocalReference{Name: o.Repository}, Cluster: o.FromCluster, Backup: backup, Run: o.Run,
		},
		NamespaceMapping: o.Mapping, Namespaces: o.Namespaces, IncludedResources: o.Resources, Existing: o.Existing,
		RestoredBackups: o.RestoredBackups, DryRun: o.DryRun,
	}
	switch {
	case o.Run != "" && o.Time != "":
		return nil, fmt.Errorf("--run and --time exclude each other")
	case o.Time != "":
		at, err := time.Parse(time.RFC3339, o.Time)
		if err != nil {
			return nil, fmt.Errorf("--time %q is not a time such as 2030-01-31T20:00:00Z", o.Time)
		}
		stamp := metav1.NewTime(at)
		object.Spec.From.Time = &stamp
	case o.Run == "":
		object.Spec.From.Latest = true
	}
	return object, nil
}

func (o *restoreOptions) restore(ctx context.Context, backup string) error {
	if err := o.choose(); err != nil {
		return err
	}
	object, err := o.object(backup)
	if err != nil {
		return err
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	switch err := c.Create(ctx, object); {
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%s does not know Backups: \"fedctl install --member %s\" installs them", o.where(), errtext.Argument(cmp.Or(o.context(), cmdutil.NoContext)))
	case apierrors.IsNotFound(err): // the namespace, which the answer names
		return fmt.Errorf("creating a Restore in %s: %w; choose another namespace with -n, or another cluster with --cluster", o.where(), err)
	case err != nil:
		return fmt.Errorf("creating a Restore in namespace %s of %s: %w", o.Namespace, o.where(), err)
	}
	o.say("restore.backup.fedctl.io/%s created", object.Name)
	if !o.Wait {
		return o.print(c, object)
	}
	waits := o.waitsForExecutor(ctx, c)
	progress := func() string {
		if object.Status.Phase == "" {
			return waits()
		}
		return inFlags.Replace(restoreProgress(&object.Status))
	}
	if err := o.poll(ctx, c, object, func() bool { return object.Status.Phase.Done() }, progress); err != nil {
		return err
	}
	status := object.Status
	if err := printCounts(o.Output.Progress(o.factory), status.Resources, status.Counts); err != nil {
		return err
	}
	for _, warning := range status.Warnings {
		fmt.Fprintln(o.factory.ErrOut, warningLine(warning))
	}
	of := ""
	if status.Run != "" {
		of = "run " + status.Run + ", "
	}
	o.say("restore.backup.fedctl.io/%s %s: %s%s", object.Name, status.Phase, of, view.Text(inFlags.Replace(status.Message)))
	if err := o.print(c, object); err != nil {
		return err
	}
	return ended("restore "+object.Name, status.Phase, status.Reason, inFlags.Replace(status.Message))
}

// inFlags names what a message says of the spec as who types the command knows it.
var inFlags = strings.NewReplacer(
	"spec.includedResources", "--resources", "spec.namespaceMapping", "--namespace-mapping", "spec.namespaces", "--namespaces",
	"Set existing to", "Set --existing to", "set existing to", "set --existing to", "restoredBackups: Keep", "--restored-backups Keep", "a namespaceMapping", "--namespace-mapping",
	"spec.from.cluster", "--from-cluster", "spec.from.run", "--run", "spec.from.time", "--time",
	"compare spec.from with", "compare BACKUP, -n and --from-cluster with", "spec.existing", "--existing",
	"create it, or correct the reference", "create it, or correct --repository",
	"by a transform", "by spec.transforms of a Restore that you write as a manifest",
)

func warningLine(warning backupv1alpha1.ResourceWarning) string {
	name := strings.Trim(warning.Namespace+"/"+warning.Name, "/")
	of := strings.TrimSpace(warning.Resource + " " + name)
	if of == "" {
		return inFlags.Replace(warning.Message)
	}
	return of + ": " + inFlags.Replace(warning.Message)
}

// restoreProgress says how far a restore is, and for what it waits.
func restoreProgress(status *backupv1alpha1.RestoreStatus) string {
	text := progressOf(status.Phase, status.Reason, status.Message, status.Totals.Objects)
	if status.Phase == backupv1alpha1.RunRunning && status.Message != "" {
		text += "; " + status.Message
	}
	return text
}

// printCounts prints what became of the objects of each resource.
func printCounts(to io.Writer, resources []backupv1alpha1.ResourceCounts, all backupv1alpha1.RestoreCounts) error {
	if len(resources) == 0 {
		return nil
	}
	table := &metav1.Table{ColumnDefinitions: view.Columns(6, "Resource", "Created", "Updated", "Skipped", "Failed", "Deferred")}
	add := func(name string, c backupv1alpha1.RestoreCounts) {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{name, c.Created, c.Updated, c.Skipped, c.Failed, c.Deferred}})
	}
	for _, resource := range resources {
		add(resource.Resource, resource.RestoreCounts)
	}
	if len(resources) > 1 {
		add("all", all)
	}
	return (&view.Printer{Out: to}).PrintTable(table)
}
