package repository

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/s3"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

type s3Backend struct {
	config  *S3
	options s3.Options
	client  *minio.Client
}

// newS3Backend makes a client of our own beside kopia's, for what kopia does not do:
// writing only what does not exist, and telling a missing bucket from a missing blob.
func newS3Backend(config *S3) (*s3Backend, error) {
	host, secure, err := config.address()
	if err != nil {
		return nil, &Error{Reason: InvalidConfiguration, Message: "the repository's configuration is wrong", Err: err}
	}
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, err
	}
	if len(config.CABundle) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(config.CABundle) {
			return nil, &Error{Reason: InvalidConfiguration, Message: "s3.caBundle holds no certificate in PEM"}
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	client, err := minio.New(host, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.Static{Value: credentials.Value{
				AccessKeyID: config.AccessKeyID, SecretAccessKey: config.SecretAccessKey,
				SessionToken: config.SessionToken, SignerType: credentials.SignatureV4,
			}},
			&credentials.EnvAWS{},
			&credentials.IAM{Client: &http.Client{Transport: transport}},
		}),
		Secure: secure, Region: config.Region, Transport: transport,
	})
	if err != nil {
		return nil, &Error{Reason: InvalidConfiguration, Message: "the repository's configuration is wrong", Err: err}
	}
	return &s3Backend{config: config, client: client, options: s3.Options{
		BucketName: config.Bucket, Prefix: directoryPrefix(config.Prefix), Endpoint: host, DoNotUseTLS: !secure,
		RootCA: config.CABundle, Region: config.Region, AccessKeyID: config.AccessKeyID,
		SecretAccessKey: config.SecretAccessKey, SessionToken: config.SessionToken,
	}}, nil
}

func (b *s3Backend) cancellable() bool { return true }

func (b *s3Backend) makeDirectory() error { return nil }

func (b *s3Backend) close() error { return nil }

func (b *s3Backend) open(ctx context.Context) (blob.Storage, error) {
	options := b.options
	return s3.New(ctx, &options, false)
}

func (b *s3Backend) check(ctx context.Context) error {
	exists, err := b.client.BucketExists(ctx, b.config.Bucket)
	if err != nil {
		return wrap(ctx, err, "cannot find the bucket %s at %s", b.config.Bucket, b.client.EndpointURL())
	}
	if !exists {
		return &Error{Reason: BucketMissing, Message: fmt.Sprintf(
			"the bucket %s does not exist at %s: create it, or correct its name", b.config.Bucket, b.client.EndpointURL())}
	}
	return nil
}

func (b *s3Backend) putNew(ctx context.Context, id blob.ID, data []byte) error {
	options := minio.PutObjectOptions{ContentType: "application/x-kopia", DisableMultipart: true, SendContentMd5: true}
	options.SetMatchETagExcept("*")
	_, err := b.client.PutObject(ctx, b.config.Bucket, directoryPrefix(b.config.Prefix)+string(id), bytes.NewReader(data), int64(len(data)), options)
	var response minio.ErrorResponse
	if errors.As(err, &response) {
		switch response.StatusCode {
		case http.StatusPreconditionFailed, http.StatusConflict:
			return blob.ErrBlobAlreadyExists
		case http.StatusNotImplemented:
			return &Error{Reason: InvalidConfiguration, Err: err, Message: fmt.Sprintf(
				"the S3 server at %s has no conditional writes (If-None-Match), without which two clusters could take the same prefix", b.client.EndpointURL())}
		}
	}
	return err
}

func (b *s3Backend) get(ctx context.Context, id blob.ID) ([]byte, error) {
	object, err := b.client.GetObject(ctx, b.config.Bucket, directoryPrefix(b.config.Prefix)+string(id), minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = object.Close() }()
	data, err := io.ReadAll(object)
	var response minio.ErrorResponse
	if errors.As(err, &response) && response.Code == "NoSuchKey" {
		return nil, blob.ErrBlobNotFound
	}
	return data, err
}
