package backup

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
)

func newRepositoryCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "repository",
		Short: "Look at BackupRepositories, and change their passwords",
		Long:  "Look at BackupRepositories of a cluster now, and change the passwords that their data is encrypted with.",
	}
	cmd.AddCommand(newCheckCommand(f), newChangePasswordCommand(f))
	return cmd
}

func newCheckCommand(f *cmdutil.Factory) *cobra.Command {
	t := &target{factory: f}
	cmd := &cobra.Command{
		Use:   "check NAME",
		Short: "Have a BackupRepository looked at now",
		Long: `Have the cluster's executor open a BackupRepository now, and say whether it can be used. Unless
its spec says readOnly, that is tried by writing a small blob and removing it. It looks whether
the packs of data are there, and does not read them, but for runs that are damaged or in doubt:
"fedctl backup verify" reads a run. It is looked at by itself every two minutes, and more often
while it cannot be used.`,
		Example: `  fedctl backup repository check store -n shop --cluster member-1`,
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return t.check(cmd.Context(), args[0]) },

		ValidArgsFunction: fedtypes.First(t.complete(&backupv1alpha1.BackupRepositoryList{})),
	}
	t.addPlaceFlags(cmd, "BackupRepository")
	cmd.Flags().DurationVar(&t.Timeout, "timeout", 6*time.Minute, "How long to wait.")
	return cmd
}

// repository reads the BackupRepository that is meant.
func (t *target) repository(ctx context.Context, c client.Client, name string) (*backupv1alpha1.BackupRepository, error) {
	object := &backupv1alpha1.BackupRepository{}
	switch err := c.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: name}, object); {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, fmt.Errorf("%s has no BackupRepository %s in namespace %s: choose another namespace with -n, or another cluster with --cluster%s",
			t.where(), name, t.Namespace, t.meant(ctx, c, name, &backupv1alpha1.BackupRepositoryList{}))
	case err != nil:
		return nil, fmt.Errorf("reading BackupRepository %s in namespace %s of %s: %w", name, t.Namespace, t.where(), err)
	}
	return object, nil
}

func (t *target) check(ctx context.Context, name string) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	object, err := t.repository(ctx, c, name)
	if err != nil {
		return err
	}
	asked := askForCheck(object)
	if err := c.Patch(ctx, object, asked); err != nil {
		return fmt.Errorf("asking for BackupRepository %s in namespace %s of %s to be looked at: %w", name, t.Namespace, t.where(), err)
	}
	value := object.Annotations[backupv1alpha1.CheckAnnotation]
	done := func() bool {
		intact := meta.FindStatusCondition(object.Status.Conditions, backupv1alpha1.ConditionIntact)
		return object.Status.HandledCheck == value && (intact == nil || intact.Reason != backupv1alpha1.ReasonReadingBack)
	}
	if err := t.poll(ctx, c, object, done, t.waitsForExecutor(ctx, c)); err != nil {
		return err
	}
	if err := t.print(c, object); err != nil {
		return err
	}
	for _, kind := range []string{backupv1alpha1.ConditionReady, backupv1alpha1.ConditionIntact} {
		condition := meta.FindStatusCondition(object.Status.Conditions, kind)
		if condition == nil {
			continue
		}
		if condition.Status != metav1.ConditionTrue {
			return fmt.Errorf("backuprepository.backup.fedctl.io/%s %s=%s: %s: %s", name, kind, condition.Status, condition.Reason, view.Text(condition.Message))
		}
		t.say("backuprepository.backup.fedctl.io/%s %s=%s: %s", name, kind, condition.Status, condition.Message)
	}
	t.say("it was looked whether the packs of data are there; \"fedctl backup verify RUN\" reads the data of a run")
	return nil
}

// askForCheck is the patch that has a BackupRepository looked at.
func askForCheck(object *backupv1alpha1.BackupRepository) client.Patch {
	before := object.DeepCopy()
	metav1.SetMetaDataAnnotation(&object.ObjectMeta, backupv1alpha1.CheckAnnotation, time.Now().UTC().Format(time.RFC3339Nano))
	return client.MergeFrom(before)
}
