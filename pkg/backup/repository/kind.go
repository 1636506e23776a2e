package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kopia/kopia/repo/blob"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/network"
)

// Storage is one kind of storage that a repository can be in: S3, GCS, Azure or
// Filesystem. Everything that differs between the kinds is behind it.
type Storage interface {
	// String says where the storage is, without credentials.
	fmt.Stringer
	// Location tells one storage from another: it is the same text for two that lead to
	// the same place, whatever the credentials and the certificates are.
	Location() string
	// Credentials is the name of the Secret that the credentials are in, and the field
	// that names it; without a name the executor's own identity is used, or none.
	Credentials() (secret, field string)
	// Take takes the credentials from the Secret's data. It returns the key that is
	// missing in it, if there is one.
	Take(data map[string][]byte) (missing string)
	// Own is what the storage uses of the executor's own.
	Own() Own
	// validate says what is missing or wrong.
	validate() error
	// connect prepares requests to the storage, and makes none.
	connect(rules network.Rules) (backend, error)
}

// Own is what a storage uses of the machine and the identity of whoever opens it.
type Own struct {
	// Directory of the machine.
	Directory string
	// Identity is the field whose absence means that the identity of the environment is
	// used.
	Identity string
}

// kinds make the storage that a spec names, or nil if it is another one's.
var kinds = []func(*v1alpha1.BackupRepositorySpec) Storage{s3Of, gcsOf, azureOf, filesystemOf}

// StorageOf is the storage that a BackupRepository names, without credentials.
func StorageOf(spec *v1alpha1.BackupRepositorySpec) (Storage, error) {
	var found Storage
	for _, of := range kinds {
		storage := of(spec)
		switch {
		case storage != nil && found != nil:
			return nil, errOneStorage
		case storage != nil:
			found = storage
		}
	}
	if found == nil {
		return nil, errOneStorage
	}
	return found, nil
}

var errOneStorage = errors.New("exactly one of s3, gcs, azure and filesystem must be set")

// backend is a storage that requests can be made to.
type backend interface {
	// makeDirectory creates what a repository is created in, as far as that is ours to do.
	makeDirectory() error
	// open returns kopia's storage.
	open(ctx context.Context) (blob.Storage, error)
	// putNew writes a blob unless it exists; then it returns blob.ErrBlobAlreadyExists.
	// Of several who try at once, one succeeds.
	putNew(ctx context.Context, id blob.ID, data []byte) error
	// get reads a small blob; without one it returns blob.ErrBlobNotFound.
	get(ctx context.Context, id blob.ID) ([]byte, error)
	// erase removes a blob that putNew has written; one that is not there is no error.
	erase(ctx context.Context, id blob.ID) error
	// check says whether the bucket or the directory is there, as an *Error.
	check(ctx context.Context) error
	// cancellable says that requests end with their context.
	cancellable() bool
	// close ends connections that are open.
	close() error
}

func directoryPrefix(prefix string) string {
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return prefix
	}
	return prefix + "/"
}

// secretName is the name that a reference has, or "".
func secretName(reference *v1alpha1.LocalReference) string {
	if reference == nil {
		return ""
	}
	return reference.Name
}
