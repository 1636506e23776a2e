package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/kopia/kopia/repo/blob"
)

// trialID is the blob that is written and removed to see whether that can be done;
// kopia ignores it.
const trialID blob.ID = "fedctl.trial"

// Try writes a small blob and removes it, which is what says that a repository can be
// written to: where only reading is allowed, everything else works.
func (r *Repository) Try(ctx context.Context) error {
	return r.brief(ctx, func(ctx context.Context) error {
		err := r.target.putNew(ctx, trialID, []byte("written to see whether it can be\n"))
		// One may be left by somebody who was killed, or who tries at the same time.
		if err != nil && !errors.Is(err, blob.ErrBlobAlreadyExists) {
			return notWritable(wrap(ctx, err, "cannot write to the repository at %s", r.config), r.config, "written")
		}
		err = r.target.erase(ctx, trialID)
		return notWritable(wrap(ctx, err, "cannot delete in the repository at %s", r.config), r.config, "deleted from")
	})
}

// notWritable gives a refusal to change something its own reason: what is there can be
// read.
func notWritable(err error, config Config, how string) error {
	var typed *Error
	if !errors.As(err, &typed) || typed.Reason != AccessDenied {
		return err
	}
	return &Error{Reason: NotWritable, Err: typed.Err, Message: fmt.Sprintf("the repository at %s can be read, but not %s: "+
		"allow the credentials to write and to delete there, or mount the volume for writing; "+
		"a BackupRepository that is only restored from has spec.readOnly: true", config, how)}
}
