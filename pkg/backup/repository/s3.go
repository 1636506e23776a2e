package repository

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kopia/kopia/repo/blob"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/network"
)

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

	secret string
}

const s3Credentials = "spec.s3.credentialsSecretRef" //nolint:gosec // a field, no credentials

func s3Of(spec *v1alpha1.BackupRepositorySpec) Storage {
	of := spec.S3
	if of == nil {
		return nil
	}
	return &S3{Endpoint: of.Endpoint, Bucket: of.Bucket, Region: of.Region, Prefix: of.Prefix, CABundle: of.CABundle, secret: secretName(of.CredentialsSecretRef)}
}

// String says where the bucket is; it keeps credentials out of %v.
func (s S3) String() string {
	endpoint := s.Endpoint
	if endpoint == "" {
		endpoint = "s3:/"
	}
	return fmt.Sprintf("%s/%s/%s", strings.TrimSuffix(endpoint, "/"), s.Bucket, s.Prefix)
}

// GoString keeps credentials out of %#v.
func (s S3) GoString() string { return s.String() }

// Location implements Storage.
func (s *S3) Location() string {
	host, _, err := s.address()
	if err != nil {
		host = s.Endpoint
	}
	return "s3://" + strings.ToLower(host) + "/" + s.Bucket + "/" + directoryPrefix(s.Prefix)
}

// Credentials implements Storage.
func (s *S3) Credentials() (secret, field string) { return s.secret, s3Credentials }

// Take implements Storage.
func (s *S3) Take(data map[string][]byte) (missing string) {
	s.AccessKeyID, s.SecretAccessKey, s.SessionToken = string(data["accessKeyID"]), string(data["secretAccessKey"]), string(data["sessionToken"])
	switch {
	case s.AccessKeyID == "":
		return "accessKeyID"
	case s.SecretAccessKey == "":
		return "secretAccessKey"
	}
	return ""
}

// Own implements Storage.
func (s *S3) Own() Own {
	if s.secret == "" {
		return Own{Identity: s3Credentials}
	}
	return Own{}
}

func (s *S3) validate() error {
	if s.Bucket == "" {
		return errors.New("s3.bucket is empty")
	}
	_, _, err := s.address()
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

func (s *S3) connect(rules network.Rules) (backend, error) {
	host, secure, err := s.address()
	if err != nil {
		return nil, invalid(err)
	}
	var roots *x509.CertPool
	if len(s.CABundle) > 0 {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(s.CABundle) {
			return nil, &Error{Reason: InvalidConfiguration, Message: "s3.caBundle holds no certificate in PEM"}
		}
	}
	clock := watchClock(rules.Client(roots))
	client, err := minio.New(host, &minio.Options{Creds: s.credentials(), Secure: secure, Region: s.Region, Transport: clock})
	if err != nil {
		return nil, invalid(err)
	}
	return &inBucket{bucket: &s3Bucket{config: s, client: client, clock: clock}, prefix: directoryPrefix(s.Prefix), where: s.String()}, nil
}

// credentials are those that were given, or those of the environment, which are asked
// for where they always are, and not within the bounds of what a user names.
func (s *S3) credentials() *credentials.Credentials {
	if s.AccessKeyID != "" || s.secret != "" {
		return credentials.New(&credentials.Static{Value: credentials.Value{
			AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken, SignerType: credentials.SignatureV4,
		}})
	}
	return credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.IAM{Client: &http.Client{Timeout: DefaultTimeout}}})
}

type s3Bucket struct {
	config *S3
	client *minio.Client
	clock  *clock
}

func (b *s3Bucket) fault(err error) error { return b.clock.explain(s3Fault(err)) }

const blobType = "application/x-kopia"

func (b *s3Bucket) close() error { return nil }

func (b *s3Bucket) exists(ctx context.Context) error {
	exists, err := b.client.BucketExists(ctx, b.config.Bucket)
	if err != nil {
		return wrap(ctx, b.fault(err), "cannot find the bucket %s at %s", b.config.Bucket, b.client.EndpointURL())
	}
	if !exists {
		return &Error{Reason: BucketMissing, Message: fmt.Sprintf(
			"the bucket %s does not exist at %s: create it, or correct its name", b.config.Bucket, b.client.EndpointURL())}
	}
	return nil
}

func (b *s3Bucket) read(ctx context.Context, name string, offset, length int64, into io.Writer) error {
	var options minio.GetObjectOptions
	if length >= 0 {
		if err := options.SetRange(offset, offset+length-1); err != nil {
			return blob.ErrInvalidRange
		}
	}
	object, err := b.client.GetObject(ctx, b.config.Bucket, name, options)
	if err != nil {
		return b.fault(err)
	}
	defer func() { _ = object.Close() }()
	_, err = io.Copy(into, object)
	return b.fault(err)
}

func (b *s3Bucket) stat(ctx context.Context, name string) (int64, time.Time, error) {
	info, err := b.client.StatObject(ctx, b.config.Bucket, name, minio.StatObjectOptions{})
	return info.Size, info.LastModified, b.fault(err)
}

func (b *s3Bucket) write(ctx context.Context, name string, data io.ReadSeeker, size int64, onlyNew bool) error {
	// Packs are small enough for one request each, and one is complete or not there.
	options := minio.PutObjectOptions{ContentType: blobType, DisableMultipart: true, SendContentMd5: true}
	if onlyNew {
		options.SetMatchETagExcept("*")
	}
	_, err := b.client.PutObject(ctx, b.config.Bucket, name, data, size, options)
	var response minio.ErrorResponse
	if onlyNew && errors.As(err, &response) {
		switch response.StatusCode {
		case http.StatusPreconditionFailed, http.StatusConflict:
			return blob.ErrBlobAlreadyExists
		case http.StatusNotImplemented:
			return &Error{Reason: InvalidConfiguration, Err: b.fault(err), Message: fmt.Sprintf(
				"the S3 server at %s has no conditional writes (If-None-Match), without which two clusters could take the same prefix", b.client.EndpointURL())}
		}
	}
	return b.fault(err)
}

func (b *s3Bucket) remove(ctx context.Context, name string) error {
	err := b.fault(b.client.RemoveObject(ctx, b.config.Bucket, name, minio.RemoveObjectOptions{}))
	if errors.Is(err, blob.ErrBlobNotFound) {
		return nil
	}
	return err
}

func (b *s3Bucket) list(ctx context.Context, prefix string, use func(string, int64, time.Time) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for object := range b.client.ListObjects(ctx, b.config.Bucket, minio.ListObjectsOptions{Prefix: prefix}) {
		if object.Err != nil {
			return b.fault(object.Err)
		}
		if err := use(object.Key, object.Size, object.LastModified); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// s3Fault says what an S3 server has answered.
func s3Fault(err error) error {
	var response minio.ErrorResponse
	if !errors.As(err, &response) || (response.StatusCode == 0 && response.Code == "") {
		return requestFault(err)
	}
	f := answerFault("the S3 server", response.StatusCode, response.Code, err)
	switch response.Code {
	case minio.NoSuchKey:
		return blob.ErrBlobNotFound
	case minio.NoSuchBucket:
		f.reason, f.hint = BucketMissing, hintBucket
	case "ExpiredToken", "ExpiredTokenException":
		f.reason, f.hint = AccessDenied, "the credentials have expired"
	case "QuotaExceeded", "StorageFull", "XMinioStorageFull", "InsufficientStorage", "ServiceQuotaExceededException":
		f.reason, f.hint = DiskFull, hintRoom
	case "RequestTimeTooSkewed":
		f.reason, f.hint = AccessDenied, "the clocks of this machine and of the storage differ: set both right"
	}
	return f
}
