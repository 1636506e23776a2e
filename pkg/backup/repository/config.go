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

// Config says where a repository is and how to read it. Exactly one of S3 and
// Filesystem is set.
type Config struct {
	S3         *S3
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
		return "s3://" + strings.ToLower(host) + "/" + c.S3.Bucket + "/" + c.S3.prefix()
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

// Validate says what is missing or wrong.
func (c Config) Validate() error {
	if c.Password == "" {
		return errors.New("the password is empty: set it in the Secret of encryptionSecretRef")
	}
	if (c.S3 == nil) == (c.Filesystem == nil) {
		return errors.New("exactly one of s3 and filesystem must be set")
	}
	if c.Filesystem != nil {
		if !filepath.IsAbs(c.Filesystem.Path) {
			return fmt.Errorf("filesystem.path %q must be absolute", c.Filesystem.Path)
		}
		return nil
	}
	if c.S3.Bucket == "" {
		return errors.New("s3.bucket is empty")
	}
	_, _, err := c.S3.address()
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

func (s *S3) prefix() string {
	if s.Prefix == "" || strings.HasSuffix(s.Prefix, "/") {
		return s.Prefix
	}
	return s.Prefix + "/"
}

func (c Config) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return DefaultTimeout
}
