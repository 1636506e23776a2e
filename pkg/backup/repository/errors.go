package repository

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"syscall"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/snapshot"
)

// Reason of an error, in one word, as conditions use it.
type Reason string

// The reasons.
const (
	// InvalidConfiguration is a Config that cannot be right.
	InvalidConfiguration Reason = "InvalidConfiguration"
	// NotFound is that there is no repository, or no such snapshot in it.
	NotFound Reason = "NotFound"
	// WrongPassword is a password that does not open the repository.
	WrongPassword Reason = "WrongPassword"
	// ForeignOwner is data that belongs to another cluster, or is not ours at all.
	ForeignOwner Reason = "ForeignOwner"
	// Unreachable is a storage that did not answer in time or not at all.
	Unreachable Reason = "Unreachable"
	// AddressNotAllowed is a storage at an address that repositories may not use.
	AddressNotAllowed Reason = "AddressNotAllowed"
	// AccessDenied is a storage that refuses us.
	AccessDenied Reason = "AccessDenied"
	// NotWritable is a storage that lets us read, and neither write nor delete.
	NotWritable Reason = "NotWritable"
	// BucketMissing is a bucket, or a directory, that does not exist (any more).
	BucketMissing Reason = "BucketMissing"
	// DiskFull is a storage that has no room.
	DiskFull Reason = "DiskFull"
	// Corrupt is data that is missing or is not what was written.
	Corrupt Reason = "Corrupt"
	// Cancelled is that the caller gave up, or its time was over.
	Cancelled Reason = "Cancelled"
	// StorageError is any other error of the storage.
	StorageError Reason = "StorageError"
)

// Error is an error of this package.
type Error struct {
	Reason Reason
	// Message says what happened and what to do, without credentials.
	Message string
	// Err is the cause, if there is one.
	Err error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// StatusReason is the reason as a status has it.
func (e *Error) StatusReason() string { return string(e.Reason) }

// ReasonOf returns the reason of an error, or StorageError if it has none.
func ReasonOf(err error) Reason {
	var typed *Error
	if errors.As(err, &typed) {
		return typed.Reason
	}
	return StorageError
}

// errUnreadable is what is there, and not as it was written.
var errUnreadable = errors.New("it cannot be read, although its pack is there")

// Altered says whether an error is that something is other than it was written, and not
// only gone: a list of the storage does not show where else that is so.
func Altered(err error) bool {
	return err != nil && ReasonOf(err) == Corrupt && !errors.Is(err, blob.ErrBlobNotFound)
}

// errNoAnswer is a request that our own time-out has ended.
var errNoAnswer = errors.New("no answer in time")

// wrap gives an error a reason. What is typed already stays as it is; so does what
// a caller's callback returned, which is not the repository's.
func wrap(ctx context.Context, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var typed *Error
	var caller *callbackError
	if errors.As(err, &typed) || errors.As(err, &caller) {
		return err
	}
	var hopeless *hopelessError
	if errors.As(context.Cause(ctx), &hopeless) {
		// All that kopia says is that its context has ended.
		ctx, err = context.WithoutCancel(ctx), hopeless.err
	}
	reason, hint := classify(ctx, err)
	message := fmt.Sprintf(format, args...)
	if hint != "" {
		message += ": " + hint
	}
	return &Error{Reason: reason, Message: message, Err: err}
}

func classify(ctx context.Context, err error) (Reason, string) {
	switch {
	case errors.Is(err, errNoAnswer):
		return Unreachable, "the storage does not answer"
	case errors.Is(err, repo.ErrInvalidPassword):
		return WrongPassword, "the password is not the one that the repository was created with"
	case errors.Is(err, snapshot.ErrSnapshotNotFound):
		return NotFound, ""
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return DiskFull, hintRoom
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return AccessDenied, "the executor needs to read and write there"
	case errors.Is(err, blob.ErrInvalidCredentials):
		return AccessDenied, "the credentials have expired"
	case errors.Is(err, blob.ErrBlobNotFound):
		return Corrupt, "data is missing from the storage"
	case errors.Is(err, fs.ErrNotExist):
		return BucketMissing, "the directory does not exist"
	case ctx.Err() != nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Cancelled, ""
	}
	var known *fault
	if errors.As(err, &known) {
		return known.reason, known.hint
	}
	var network net.Error
	var request *url.Error
	if errors.As(err, &network) || errors.As(err, &request) || errors.Is(err, os.ErrDeadlineExceeded) {
		return Unreachable, "check the endpoint and the network"
	}
	return StorageError, ""
}

// callbackError marks what the caller's own function returned.
type callbackError struct{ err error }

func (e *callbackError) Error() string { return e.err.Error() }
func (e *callbackError) Unwrap() error { return e.err }
