package repository

import (
	"context"
	"errors"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/format"
)

// OpensWithNext says whether the next password of the configuration has opened the
// repository, and not the present one.
func (r *Repository) OpensWithNext() bool { return r.next }

// ChangePassword encrypts the repository's key with the next password of the
// configuration, unless that has been done, and proves that it opens the repository.
// Before, the present password opens it, and afterwards the next one; there is nothing
// in between, because the key is in one blob. The data is not written again.
func (r *Repository) ChangePassword(ctx context.Context) error {
	if r.config.NextPassword == "" {
		return &Error{Reason: InvalidConfiguration, Message: "there is no other password to change to"}
	}
	if !r.next {
		if err := r.reencrypt(ctx); err != nil {
			return wrap(ctx, err, "cannot change the password of the repository at %s", r.config)
		}
	}
	config := r.config
	config.Password, config.NextPassword, config.MustExist = config.NextPassword, "", true
	again, err := OpenReadOnly(ctx, config)
	if err != nil {
		return err
	}
	return again.Close(ctx)
}

func (r *Repository) reencrypt(ctx context.Context) error {
	// kopia keeps the retention of blobs in a blob of its own, which it encrypts as well.
	// We never write one; whoever was killed between the two would leave a repository
	// that neither password opens.
	switch _, err := r.storage.GetMetadata(ctx, format.KopiaBlobCfgBlobID); {
	case err == nil:
		return &Error{Reason: InvalidConfiguration, Message: "somebody has set a retention of blobs with kopia: change the password with \"kopia repository change-password\" while no backup runs, and then in the Secret"}
	case !errors.Is(err, blob.ErrBlobNotFound):
		return err
	}
	return r.direct.FormatManager().ChangePassword(ctx, r.config.NextPassword)
}
