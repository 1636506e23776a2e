package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"cloud.google.com/go/auth"
	googlestorage "cloud.google.com/go/storage"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/gcs"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

type gcsBackend struct {
	config *GCS
	client *googlestorage.Client
	bucket *googlestorage.BucketHandle
}

// newGCSBackend makes a client of our own beside kopia's, as newS3Backend does.
func newGCSBackend(config *GCS) (*gcsBackend, error) {
	options := []option.ClientOption{option.WithScopes(googlestorage.ScopeFullControl)}
	if len(config.ServiceAccountKey) > 0 {
		options = append(options, option.WithAuthCredentialsJSON(option.ServiceAccount, config.ServiceAccountKey))
	}
	// The context is that of later requests for tokens, not of this call.
	client, err := googlestorage.NewClient(context.Background(), options...)
	if err != nil {
		hint := "without a credentialsSecretRef the executor needs an identity of its own"
		if len(config.ServiceAccountKey) > 0 {
			// The cause may quote the key.
			err, hint = nil, "the key is not that of a service account, in JSON as Google Cloud gives it"
		}
		return nil, &Error{Reason: AccessDenied, Err: err, Message: fmt.Sprintf("no credentials for the bucket %s of Google Cloud Storage: %s", config.Bucket, hint)}
	}
	return &gcsBackend{config: config, client: client, bucket: client.Bucket(config.Bucket)}, nil
}

func (b *gcsBackend) cancellable() bool { return true }

func (b *gcsBackend) makeDirectory() error { return nil }

func (b *gcsBackend) close() error { return b.client.Close() }

func (b *gcsBackend) open(ctx context.Context) (blob.Storage, error) {
	return gcs.New(ctx, &gcs.Options{
		BucketName: b.config.Bucket, Prefix: directoryPrefix(b.config.Prefix), ServiceAccountCredentialJSON: b.config.ServiceAccountKey,
	}, false)
}

func (b *gcsBackend) check(ctx context.Context) error {
	_, err := b.bucket.Objects(ctx, &googlestorage.Query{Prefix: b.name(absentID)}).Next()
	switch {
	case err == nil, errors.Is(err, iterator.Done):
		return nil
	case errors.Is(err, googlestorage.ErrBucketNotExist):
		return &Error{Reason: BucketMissing, Message: fmt.Sprintf(
			"the bucket %s does not exist in Google Cloud Storage: create it, or correct its name", b.config.Bucket)}
	}
	return wrap(ctx, err, "cannot find the bucket %s in Google Cloud Storage", b.config.Bucket)
}

func (b *gcsBackend) putNew(ctx context.Context, id blob.ID, data []byte) error {
	writer := b.bucket.Object(b.name(id)).If(googlestorage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	writer.ContentType = "application/x-kopia"
	writer.ChunkSize = 0 // one request
	_, err := writer.Write(data)
	err = errors.Join(err, writer.Close())
	if response := (*googleapi.Error)(nil); errors.As(err, &response) && response.Code == http.StatusPreconditionFailed {
		return blob.ErrBlobAlreadyExists
	}
	return err
}

func (b *gcsBackend) get(ctx context.Context, id blob.ID) ([]byte, error) {
	reader, err := b.bucket.Object(b.name(id)).NewReader(ctx)
	if errors.Is(err, googlestorage.ErrObjectNotExist) {
		return nil, blob.ErrBlobNotFound
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	return io.ReadAll(reader)
}

func (b *gcsBackend) name(id blob.ID) string { return directoryPrefix(b.config.Prefix) + string(id) }

func classifyGCS(err error) (Reason, string, bool) {
	if errors.Is(err, googlestorage.ErrBucketNotExist) {
		return BucketMissing, hintBucket, true
	}
	if refused := (*auth.Error)(nil); errors.As(err, &refused) {
		return AccessDenied, hintCredentials, true
	}
	var response *googleapi.Error
	if !errors.As(err, &response) {
		return "", "", false
	}
	return classifyStatus(response.Code)
}
