package executor

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// changePassword makes the next password the one that opens a repository, if there is
// one, and says which it is; nil if there is one only. Nothing takes the old one out of
// the Secret but who has put the next one there: as long as both are in it, it does not
// matter who knows how far this is.
func changePassword(ctx context.Context, object *v1alpha1.BackupRepository, open *repository.Repository, config repository.Config, version string) (*v1alpha1.PasswordStatus, error) {
	if config.NextPassword == "" {
		return nil, nil //nolint:nilnil // there is nothing to say
	}
	key := passwordKey(object)
	status := &v1alpha1.PasswordStatus{SecretVersion: version, Key: key + v1alpha1.NextPasswordSuffix}
	if object.Spec.ReadOnly {
		if !open.OpensWithNext() {
			status.Key, status.Message = key, "it is read-only: the password is changed in the cluster that the data belongs to"
		}
		return status, nil
	}
	if err := open.ChangePassword(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		status.Key, status.Message = key, said(err.Error())
	}
	return status, nil
}

// suspect has a BackupRepository looked at soon: whoever has opened it found it to be
// other than its status says.
func (c *core) suspect(namespace, name string) {
	object := &v1alpha1.BackupRepository{}
	object.Namespace, object.Name = namespace, name
	c.trials.forget(types.NamespacedName{Namespace: namespace, Name: name})
	select {
	case c.suspects <- event.GenericEvent{Object: object}:
	default: // it is looked at in a while, anyhow
	}
}
