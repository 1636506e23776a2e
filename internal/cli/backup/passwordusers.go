package backup

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"

	"github.com/fedctl/fedctl/internal/view"
)

// passwordUser is a BackupRepository that a password is for.
type passwordUser struct {
	cluster string
	client  client.Client
	name    client.ObjectKey
	secret  secretKey
	// readOnly is one whose data may be another cluster's.
	readOnly bool
	// asked is the version of the Secret that the executor was last asked to look at.
	asked string
	// look is how the executor was asked to look at it before anything is written; found
	// is the BackupRepository as it was then.
	look  string
	found *backupv1alpha1.BackupRepository
}

func (u passwordUser) String() string {
	return strings.TrimPrefix(u.cluster+"/"+u.name.String(), "/")
}

// opensWith says why a BackupRepository is not known to open with the new password, as
// it is in the Secret now.
func (u *passwordUser) opensWith(ctx context.Context, next string) string {
	secret := &corev1.Secret{}
	if err := u.client.Get(ctx, u.secret.ObjectKey, secret); err != nil {
		return fmt.Sprintf("reading its Secret %s: %s", u.secret.Name, err)
	}
	coming, both := secret.Data[u.secret.next()]
	if !both && string(secret.Data[u.secret.key]) == next {
		return "" // it had opened before the old one was taken away
	}
	if string(coming) != next {
		return fmt.Sprintf("its Secret %s does not have the new password yet", u.secret.Name)
	}
	repository := &backupv1alpha1.BackupRepository{}
	if err := u.client.Get(ctx, u.name, repository); err != nil {
		return err.Error()
	}
	status := repository.Status.Password
	switch {
	case status != nil && status.SecretVersion == secret.ResourceVersion && status.Key == u.secret.next():
		return ""
	case status != nil && status.SecretVersion == secret.ResourceVersion && status.Message != "":
		return status.Message
	}
	return cmp.Or(whyNotReady(repository), "waits for the executor")
}

// whyNotReady says why a BackupRepository cannot be used, if that is known.
func whyNotReady(repository *backupv1alpha1.BackupRepository) string {
	ready := meta.FindStatusCondition(repository.Status.Conditions, backupv1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return ""
	}
	return ready.Reason + ": " + view.Text(ready.Message)
}

// askForLook has the executor look now. Of who may not ask, the last look counts.
func (u *passwordUser) askForLook(ctx context.Context) error {
	u.found = &backupv1alpha1.BackupRepository{}
	if err := u.client.Get(ctx, u.name, u.found); err != nil {
		return fmt.Errorf("reading BackupRepository %s: %w", u, err)
	}
	err := u.client.Patch(ctx, u.found, askForCheck(u.found))
	switch {
	case apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return fmt.Errorf("asking for BackupRepository %s to be looked at: %w", u, err)
	}
	u.look = u.found.Annotations[backupv1alpha1.CheckAnnotation]
	return nil
}

// waitsForLook says why what was asked for has not been done.
func (u *passwordUser) waitsForLook(ctx context.Context) string {
	if err := u.client.Get(ctx, u.name, u.found); err != nil {
		return err.Error()
	}
	if u.look != "" && u.found.Status.HandledCheck != u.look {
		return "waits for the executor to look at it"
	}
	return ""
}

// holds says why a BackupRepository's Secret does not have the new password alone.
func (u *passwordUser) holds(ctx context.Context, next string) string {
	secret := &corev1.Secret{}
	if err := u.client.Get(ctx, u.secret.ObjectKey, secret); err != nil {
		return fmt.Sprintf("reading its Secret %s: %s", u.secret.Name, err)
	}
	if _, both := secret.Data[u.secret.next()]; both || string(secret.Data[u.secret.key]) != next {
		return fmt.Sprintf("its Secret %s has not changed yet", u.secret.Name)
	}
	return ""
}

// ask has the executor look now. Who may not ask waits until it looks by itself.
func (u *passwordUser) ask(ctx context.Context) {
	secret, repository := &corev1.Secret{}, &backupv1alpha1.BackupRepository{}
	if u.client.Get(ctx, u.secret.ObjectKey, secret) != nil || u.asked == secret.ResourceVersion || u.client.Get(ctx, u.name, repository) != nil {
		return
	}
	if err := u.client.Patch(ctx, repository, askForCheck(repository)); err == nil || apierrors.IsForbidden(err) {
		u.asked = secret.ResourceVersion
	}
}
