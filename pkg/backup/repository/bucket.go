package repository

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/retrying"

	"github.com/fedctl/fedctl/pkg/answers"
)

// bucket is what an object store can do, a request or a sequence of them each. Errors
// are a *fault, an *Error, or one of kopia's. What kopia has for these stores makes
// connections of its own, which could neither be kept from addresses that are out of
// bounds nor limited in what they read.
type bucket interface {
	// exists returns an *Error with BucketMissing if the bucket does not.
	exists(ctx context.Context) error
	// read copies an object, or length bytes of it from offset on if length is not
	// negative; without the object it returns blob.ErrBlobNotFound.
	read(ctx context.Context, name string, offset, length int64, into io.Writer) error
	// stat describes an object; without it, it returns blob.ErrBlobNotFound.
	stat(ctx context.Context, name string) (size int64, modified time.Time, err error)
	// write makes or replaces an object. onlyNew does not replace: it returns
	// blob.ErrBlobAlreadyExists.
	write(ctx context.Context, name string, data io.ReadSeeker, size int64, onlyNew bool) error
	// remove removes an object; one that is not there is no error.
	remove(ctx context.Context, name string) error
	// list calls use for each object whose name begins with prefix; it may leave out those
	// with a "/" after it.
	list(ctx context.Context, prefix string, use func(name string, size int64, modified time.Time) error) error
	// close ends connections that are open.
	close() error
}

// Limits of what is read from a storage, whoever answers.
const (
	// maxSmallBytes is far more than the blobs have that say whose a repository is.
	maxSmallBytes = 1 << 20
	// maxBlobBytes is more than kopia's largest packs, and than the index of millions
	// of pieces.
	maxBlobBytes = 256 << 20
)

// inBucket is a repository in a bucket, for us and for kopia.
type inBucket struct {
	blob.DefaultProviderImplementation
	bucket
	prefix string
	where  string
}

func (b *inBucket) cancellable() bool { return true }

func (b *inBucket) makeDirectory() error { return nil }

func (b *inBucket) close() error { return b.bucket.close() }

func (b *inBucket) open(context.Context) (blob.Storage, error) { return retrying.NewWrapper(b), nil }

func (b *inBucket) check(ctx context.Context) error { return b.exists(ctx) }

func (b *inBucket) name(id blob.ID) string { return b.prefix + string(id) }

func (b *inBucket) putNew(ctx context.Context, id blob.ID, data []byte) error {
	return b.write(ctx, b.name(id), bytes.NewReader(data), int64(len(data)), true)
}

func (b *inBucket) erase(ctx context.Context, id blob.ID) error { return b.remove(ctx, b.name(id)) }

func (b *inBucket) get(ctx context.Context, id blob.ID) ([]byte, error) {
	var data bytes.Buffer
	err := b.read(answers.Limit(ctx, maxSmallBytes), b.name(id), 0, -1, &limitedWriter{to: &data, left: maxSmallBytes})
	return data.Bytes(), err
}

// GetBlob implements blob.Storage.
func (b *inBucket) GetBlob(ctx context.Context, id blob.ID, offset, length int64, output blob.OutputBuffer) error {
	output.Reset()
	if offset < 0 {
		return blob.ErrInvalidRange
	}
	if length == 0 { // there is no such range; whether there is the blob is asked all the same
		_, _, err := b.stat(ctx, b.name(id))
		return err
	}
	most := int64(maxBlobBytes)
	if length > 0 {
		most = length
	}
	// A server that does not know ranges answers with all of it, which is not read.
	if err := b.read(answers.Limit(ctx, most), b.name(id), offset, length, &limitedWriter{to: output, left: most}); err != nil {
		return err
	}
	return blob.EnsureLengthExactly(output.Length(), length)
}

// GetMetadata implements blob.Storage.
func (b *inBucket) GetMetadata(ctx context.Context, id blob.ID) (blob.Metadata, error) {
	size, modified, err := b.stat(ctx, b.name(id))
	return blob.Metadata{BlobID: id, Length: size, Timestamp: modified}, err
}

// PutBlob implements blob.Storage.
func (b *inBucket) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, options blob.PutOptions) error {
	switch {
	case options.HasRetentionOptions():
		return fmt.Errorf("%w: retention", blob.ErrUnsupportedPutBlobOption)
	case !options.SetModTime.IsZero():
		return blob.ErrSetTimeUnsupported
	}
	reader := data.Reader()
	defer func() { _ = reader.Close() }()
	if err := b.write(ctx, b.name(id), reader, int64(data.Length()), options.DoNotRecreate); err != nil {
		return err
	}
	if options.GetModTime == nil {
		return nil
	}
	_, modified, err := b.stat(ctx, b.name(id))
	*options.GetModTime = modified
	return err
}

// DeleteBlob implements blob.Storage.
func (b *inBucket) DeleteBlob(ctx context.Context, id blob.ID) error {
	return b.remove(ctx, b.name(id))
}

// ListBlobs implements blob.Storage.
func (b *inBucket) ListBlobs(ctx context.Context, prefix blob.ID, use func(blob.Metadata) error) error {
	return b.list(ctx, b.name(prefix), func(name string, size int64, modified time.Time) error {
		id, ok := strings.CutPrefix(name, b.prefix)
		if !ok || id == "" || strings.Contains(id, "/") {
			return nil // it was not asked for, or belongs to who has a prefix beneath this one
		}
		return use(blob.Metadata{BlobID: blob.ID(id), Length: size, Timestamp: modified})
	})
}

// ConnectionInfo implements blob.Storage; storage has its own, which hides this one.
func (b *inBucket) ConnectionInfo() blob.ConnectionInfo { return blob.ConnectionInfo{} }

// DisplayName implements blob.Storage.
func (b *inBucket) DisplayName() string { return b.where }

// limitedWriter takes no more than it has room for, however it is written to.
type limitedWriter struct {
	to   io.Writer
	left int64
}

func (w *limitedWriter) Write(data []byte) (int, error) {
	if int64(len(data)) > w.left {
		return 0, answers.ErrTooMuch
	}
	w.left -= int64(len(data))
	return w.to.Write(data)
}
