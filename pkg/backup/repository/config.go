package repository

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// DefaultTimeout ends a request to the storage that is not answered.
const DefaultTimeout = time.Minute

// Config says where a repository is and how to read it. Exactly one of S3, GCS, Azure
// and Filesystem is set.
type Config struct {
	S3         *S3
	GCS        *GCS
	Azure      *Azure
	Filesystem *Filesystem
	// Password that the data is encrypted with.
	Password string
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

// S3 is a bucket of an S3 server.
type S3 struct {
	// Endpoint is https://host[:port] or http://host[:port]; AWS by default.
	Endpoint string
	Bucket   string
	Region   string
	// Prefix of all names in the bucket; a "/" at its end is added if it is missing.
	Prefix string
	// AccessKeyID, SecretAccessKey and SessionToken are the credentials; without them
	// those of the environment are used.
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	// CABundle verifies the server, in PEM; the system's by default.
	CABundle []byte
}

// GCS is a bucket of Google Cloud Storage.
type GCS struct {
	Bucket string
	// Prefix of all names in the bucket; a "/" at its end is added if it is missing.
	Prefix string
	// ServiceAccountKey is a service account's key in JSON; without it the identity of
	// the environment is used.
	ServiceAccountKey []byte
}

// Azure is a container of Azure Blob Storage.
type Azure struct {
	StorageAccount string
	Container      string
	// Prefix of all names in the container; a "/" at its end is added if it is missing.
	Prefix string
	// Endpoint of the account; https://<StorageAccount>.blob.core.windows.net by default.
	Endpoint string
	// StorageKey, one of the account's keys, or SASToken is set.
	StorageKey, SASToken string
}

// Filesystem is a directory.
type Filesystem struct {
	// Path is absolute. The directory is created if its parent exists.
	Path string
}

// Owner is the cluster that a repository belongs to.
type Owner struct {
	// ClusterUID is the UID of the cluster's namespace kube-system.
	ClusterUID string
}

// String says where the repository is, without credentials.
func (c Config) String() string {
	switch {
	case c.S3 != nil:
		endpoint := c.S3.Endpoint
		if endpoint == "" {
			endpoint = "s3:/"
		}
		return fmt.Sprintf("%s/%s/%s", strings.TrimSuffix(endpoint, "/"), c.S3.Bucket, c.S3.Prefix)
	case c.GCS != nil:
		return fmt.Sprintf("gs://%s/%s", c.GCS.Bucket, c.GCS.Prefix)
	case c.Azure != nil:
		return fmt.Sprintf("azure://%s/%s/%s", c.Azure.StorageAccount, c.Azure.Container, c.Azure.Prefix)
	case c.Filesystem != nil:
		return c.Filesystem.Path
	}
	return "no repository"
}

// Location tells one storage from another: it is the same text for two that lead to
// the same place, whatever the credentials, the password and the certificates are.
func (c Config) Location() string {
	switch {
	case c.S3 != nil:
		host, _, err := c.S3.address()
		if err != nil {
			host = c.S3.Endpoint
		}
		return "s3://" + strings.ToLower(host) + "/" + c.S3.Bucket + "/" + directoryPrefix(c.S3.Prefix)
	case c.GCS != nil:
		return "gs://" + c.GCS.Bucket + "/" + directoryPrefix(c.GCS.Prefix)
	case c.Azure != nil:
		host := c.Azure.Endpoint
		if endpoint, err := c.Azure.endpoint(); err == nil {
			host = endpoint.Host
		}
		return "azure://" + strings.ToLower(host) + "/" + c.Azure.Container + "/" + directoryPrefix(c.Azure.Prefix)
	case c.Filesystem != nil:
		return "file://" + filepath.Clean(c.Filesystem.Path)
	}
	return ""
}

// GoString keeps credentials out of %#v.
func (c Config) GoString() string { return c.String() }

// GoString keeps credentials out of %#v.
func (s S3) GoString() string { return s.String() }

// String keeps credentials out of %v.
func (s S3) String() string { return Config{S3: &s}.String() }

// GoString keeps credentials out of %#v.
func (g GCS) GoString() string { return g.String() }

// String keeps credentials out of %v.
func (g GCS) String() string { return Config{GCS: &g}.String() }

// GoString keeps credentials out of %#v.
func (a Azure) GoString() string { return a.String() }

// String keeps credentials out of %v.
func (a Azure) String() string { return Config{Azure: &a}.String() }

// Validate says what is missing or wrong.
func (c Config) Validate() error {
	if c.Password == "" {
		return errors.New("the password is empty: set it in the Secret of encryptionSecretRef")
	}
	set := 0
	for _, one := range []bool{c.S3 != nil, c.GCS != nil, c.Azure != nil, c.Filesystem != nil} {
		if one {
			set++
		}
	}
	switch {
	case set != 1:
		return errors.New("exactly one of s3, gcs, azure and filesystem must be set")
	case c.Filesystem != nil && !filepath.IsAbs(c.Filesystem.Path):
		return fmt.Errorf("filesystem.path %q must be absolute", c.Filesystem.Path)
	case c.GCS != nil && c.GCS.Bucket == "":
		return errors.New("gcs.bucket is empty")
	case c.Azure != nil:
		return c.Azure.validate()
	case c.S3 != nil && c.S3.Bucket == "":
		return errors.New("s3.bucket is empty")
	case c.S3 != nil:
		_, _, err := c.S3.address()
		return err
	}
	return nil
}

func (a *Azure) validate() error {
	switch {
	case a.StorageAccount == "":
		return errors.New("azure.storageAccount is empty")
	case a.Container == "":
		return errors.New("azure.container is empty")
	case (a.StorageKey == "") == (a.SASToken == ""):
		return errors.New("exactly one of the storage key and the SAS token must be set")
	}
	_, err := a.endpoint()
	return err
}

const awsHost = "s3.amazonaws.com"

// address is the host[:port] of the server and whether TLS is used.
func (s *S3) address() (host string, secure bool, err error) {
	if s.Endpoint == "" {
		return awsHost, true, nil
	}
	parsed, err := url.Parse(s.Endpoint)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") ||
		strings.Trim(parsed.Path, "/") != "" || parsed.User != nil || parsed.RawQuery != "" {
		return "", false, errors.New("s3.endpoint must be https://host[:port] or http://host[:port]")
	}
	return parsed.Host, parsed.Scheme == "https", nil
}

func directoryPrefix(prefix string) string {
	if prefix == "" || strings.HasSuffix(prefix, "/") {
		return prefix
	}
	return prefix + "/"
}

func (c Config) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return DefaultTimeout
}
