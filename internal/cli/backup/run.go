package backup

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
)

func newRunCommand(f *cmdutil.Factory) *cobra.Command {
	t := &target{factory: f}
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Run a Backup now",
		Long:  "Run a Backup now, beside its schedule: a BackupRun is created, which the cluster's executor carries out.",
		Example: `  # Run the Backup nightly in the member member-1 and wait for it
  fedctl backup run nightly -n shop --cluster member-1 --wait`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), args[0]) },

		ValidArgsFunction: fedtypes.First(t.complete(&backupv1alpha1.BackupList{})),
	}
	t.addFlags(cmd)
	return cmd
}

func (t *target) run(ctx context.Context, name string) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	err = c.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: name}, &backupv1alpha1.Backup{})
	switch {
	case meta.IsNoMatchError(err):
		return fmt.Errorf("%s does not know Backups: \"fedctl install --member %s\" installs them", t.where(), errtext.Argument(cmp.Or(t.context(), cmdutil.NoContext)))
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%s has no Backup %s in namespace %s: choose another namespace with -n, another cluster with --cluster, or see \"fedctl backup status -A\"%s",
			t.where(), name, t.Namespace, t.meant(ctx, c, name, &backupv1alpha1.BackupList{}))
	case err != nil:
		return fmt.Errorf("reading Backup %s in namespace %s of %s: %w", name, t.Namespace, t.where(), err)
	}
	run := &backupv1alpha1.BackupRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, GenerateName: name + "-manual-"},
		Spec:       backupv1alpha1.BackupRunSpec{BackupRef: backupv1alpha1.LocalReference{Name: name}},
	}
	if err := c.Create(ctx, run); err != nil {
		return fmt.Errorf("creating a BackupRun of Backup %s in namespace %s of %s: %w", name, t.Namespace, t.where(), err)
	}
	t.say("backuprun.backup.fedctl.io/%s created", run.Name)
	if !t.Wait {
		return t.print(c, run)
	}
	waits := t.waitsForExecutor(ctx, c)
	progress := func() string {
		if run.Status.Phase == "" {
			return waits()
		}
		return progressOf(run.Status.Phase, run.Status.Reason, run.Status.Message, run.Status.Totals.Objects)
	}
	if err := t.poll(ctx, c, run, func() bool { return run.Status.Phase.Done() }, progress); err != nil {
		return err
	}
	t.tellEnd(run)
	if err := t.print(c, run); err != nil {
		return err
	}
	return ended("run "+run.Name, run.Status.Phase, run.Status.Reason, run.Status.Message)
}

// tellEnd says what came of a run, and what is odd about it.
func (t *target) tellEnd(run *backupv1alpha1.BackupRun) {
	totals := run.Status.Totals
	t.say("backuprun.backup.fedctl.io/%s %s: %d objects, %d bytes, %d bytes stored", run.Name, run.Status.Phase, totals.Objects, totals.Bytes, totals.StoredBytes)
	for _, line := range warningLines(exceptional(run), t.context()) {
		t.say("warning: %s", line)
	}
}

func newVerifyCommand(f *cmdutil.Factory) *cobra.Command {
	t := &target{factory: f}
	mode := "Checksum"
	cmd := &cobra.Command{
		Use:   "verify RUN",
		Short: "Read the data of a BackupRun back",
		Long: `Read the data of a BackupRun back. Checksum reads and checks all of it; Restore also
restores it into scratch namespaces, compares, and removes them.`,
		Example: `  fedctl backup verify nightly-29384320 -n shop --cluster member-1 --mode Restore --wait`,
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return t.verify(cmd.Context(), args[0], mode) },

		ValidArgsFunction: fedtypes.First(t.complete(&backupv1alpha1.BackupRunList{})),
	}
	t.addFlags(cmd)
	cmd.Flags().StringVar(&mode, "mode", mode, "Checksum or Restore.")
	_ = cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{"Checksum", "Restore"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (t *target) verify(ctx context.Context, name, mode string) error {
	if mode != "Checksum" && mode != "Restore" {
		return fmt.Errorf("--mode takes Checksum and Restore, not %q", mode)
	}
	c, err := t.client()
	if err != nil {
		return err
	}
	run := &backupv1alpha1.BackupRun{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"`+backupv1alpha1.VerifyAnnotation+`":"`+mode+`"}}}`))
	switch err := c.Patch(ctx, run, patch); {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return fmt.Errorf("%s has no BackupRun %s in namespace %s: choose another namespace with -n, another cluster with --cluster, or see \"fedctl backup list -A\"", t.where(), name, t.Namespace)
	case err != nil:
		return fmt.Errorf("asking for BackupRun %s in namespace %s of %s to be verified: %w", name, t.Namespace, t.where(), err)
	}
	t.say("backuprun.backup.fedctl.io/%s is to be verified", name)
	if !t.Wait {
		return t.print(c, run)
	}
	progress := func() string { return "is being read back, " + mode }
	if err := t.poll(ctx, c, run, func() bool { return run.Annotations[backupv1alpha1.VerifyAnnotation] == "" }, progress); err != nil {
		return err
	}
	condition := meta.FindStatusCondition(run.Status.Conditions, backupv1alpha1.ConditionVerified)
	if condition == nil {
		return fmt.Errorf("the run %s has no data, or its Backup is gone", name)
	}
	t.say("backuprun.backup.fedctl.io/%s Verified=%s: %s", name, condition.Status, condition.Message)
	if err := t.print(c, run); err != nil {
		return err
	}
	if condition.Status != metav1.ConditionTrue {
		return fmt.Errorf("run %s: %s: %s", name, condition.Reason, condition.Message)
	}
	return nil
}
