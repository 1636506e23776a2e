package repository

import (
	"errors"
	"time"

	"github.com/fedctl/fedctl/pkg/backup/network"
)

// DefaultTimeout ends a request to the storage that is not answered.
const DefaultTimeout = time.Minute

// Config says where a repository is and how to read it.
type Config struct {
	// Storage that the repository is in, with its credentials.
	Storage Storage
	// Network says what the storage may be reached by.
	Network network.Rules
	// Password that the data is encrypted with.
	Password string
	// NextPassword opens the repository where Password does not: while it is changed, the
	// one or the other does. Empty if it is not being changed.
	NextPassword string
	// CacheDir is a directory for temporary files, which Close removes; the system's
	// by default. Nothing in it is readable without the password.
	CacheDir string
	// Timeout of one request to the storage; DefaultTimeout by default. Uploads get
	// more, by their size.
	Timeout time.Duration
	// MustExist makes Open fail with NotFound, instead of creating a repository where
	// there is none.
	MustExist bool
}

// Owner is the cluster that a repository belongs to.
type Owner struct {
	// ClusterUID is the UID of the cluster's namespace kube-system.
	ClusterUID string
}

// String says where the repository is, without credentials.
func (c Config) String() string {
	if c.Storage == nil {
		return "no repository"
	}
	return c.Storage.String()
}

// GoString keeps credentials out of %#v.
func (c Config) GoString() string { return c.String() }

// Location is that of the storage.
func (c Config) Location() string {
	if c.Storage == nil {
		return ""
	}
	return c.Storage.Location()
}

// Validate says what is missing or wrong.
func (c Config) Validate() error {
	switch {
	case c.Password == "":
		return errors.New("the password is empty: set it in the Secret of encryptionSecretRef")
	case c.Storage == nil:
		return errOneStorage
	}
	return c.Storage.validate()
}

func (c Config) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return DefaultTimeout
}
