package repository

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/filesystem"
	"github.com/kopia/kopia/repo/blob/sharded"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/network"
)

// Filesystem is a directory.
type Filesystem struct {
	// Path is absolute. The directory is created if its parent exists.
	Path string
}

func filesystemOf(spec *v1alpha1.BackupRepositorySpec) Storage {
	if spec.Filesystem == nil {
		return nil
	}
	return &Filesystem{Path: spec.Filesystem.Path}
}

// String is the path.
func (f *Filesystem) String() string { return f.Path }

// Location implements Storage.
func (f *Filesystem) Location() string { return "file://" + filepath.Clean(f.Path) }

// Credentials implements Storage.
func (f *Filesystem) Credentials() (secret, field string) { return "", "" }

// Take implements Storage.
func (f *Filesystem) Take(map[string][]byte) (missing string) { return "" }

// Own implements Storage.
func (f *Filesystem) Own() Own { return Own{Directory: f.Path} }

func (f *Filesystem) validate() error {
	if !filepath.IsAbs(f.Path) {
		return fmt.Errorf("filesystem.path %q must be absolute", f.Path)
	}
	return nil
}

func (f *Filesystem) connect(rules network.Rules) (backend, error) {
	return &filesystemBackend{path: f.Path, rules: rules}, nil
}

type filesystemBackend struct {
	path  string
	rules network.Rules
}

func (b *filesystemBackend) cancellable() bool { return false }

func (b *filesystemBackend) close() error { return nil }

func (b *filesystemBackend) options() *filesystem.Options {
	return &filesystem.Options{Path: b.path, FileMode: 0o600, DirectoryMode: 0o700,
		Options: sharded.Options{DirectoryShards: []int{1, 3}}}
}

func (b *filesystemBackend) open(ctx context.Context) (blob.Storage, error) {
	files, err := filesystem.New(ctx, b.options(), false)
	if err != nil {
		return nil, err
	}
	return &fencedFiles{files, b.rules}, nil
}

// fencedFiles are kopia's files, as long as they may be written.
type fencedFiles struct {
	blob.Storage
	rules network.Rules
}

// PutBlob implements blob.Storage.
func (f *fencedFiles) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, options blob.PutOptions) error {
	if err := f.rules.Writable(); err != nil {
		return err
	}
	return f.Storage.PutBlob(ctx, id, data, options)
}

// DeleteBlob implements blob.Storage.
func (f *fencedFiles) DeleteBlob(ctx context.Context, id blob.ID) error {
	if err := f.rules.Writable(); err != nil {
		return err
	}
	return f.Storage.DeleteBlob(ctx, id)
}

func (b *filesystemBackend) makeDirectory() error {
	err := os.Mkdir(b.path, 0o700)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Reason: BucketMissing, Message: fmt.Sprintf(
			"the directory above %s does not exist: create it, or mount the volume that should be there", b.path)}
	}
	return err
}

func (b *filesystemBackend) check(ctx context.Context) error {
	info, err := os.Stat(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Reason: BucketMissing, Message: fmt.Sprintf("the directory %s does not exist (any more)", b.path)}
	case err != nil:
		return wrap(ctx, err, "cannot look at the directory %s", b.path)
	case !info.IsDir():
		return &Error{Reason: InvalidConfiguration, Message: fmt.Sprintf("%s is not a directory", b.path)}
	}
	return nil
}

// putNew links a complete file to its name, which fails if the name is taken.
func (b *filesystemBackend) putNew(_ context.Context, id blob.ID, data []byte) error {
	if err := b.rules.Writable(); err != nil {
		return err
	}
	name := b.fileName(id)
	temporary := fmt.Sprintf("%s.tmp.%s", name, rand.Text())
	defer func() { _ = os.Remove(temporary) }()
	if err := writeSynced(temporary, data); err != nil {
		return withoutPath(err)
	}
	err := os.Link(temporary, name)
	if errors.Is(err, fs.ErrExist) {
		return blob.ErrBlobAlreadyExists
	}
	return err
}

func (b *filesystemBackend) erase(_ context.Context, id blob.ID) error {
	if err := b.rules.Writable(); err != nil {
		return err
	}
	if err := os.Remove(b.fileName(id)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (b *filesystemBackend) get(_ context.Context, id blob.ID) ([]byte, error) {
	file, err := os.Open(b.fileName(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, blob.ErrBlobNotFound
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var data bytes.Buffer
	_, err = io.Copy(&limitedWriter{to: &data, left: maxSmallBytes}, file)
	return data.Bytes(), err
}

// withoutPath is an error without the name of a file that has another one each time:
// what is said in a status would be news each time.
func withoutPath(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// fileName is where kopia expects a blob with a short name; long ones are spread
// over directories.
func (b *filesystemBackend) fileName(id blob.ID) string {
	return filepath.Join(b.path, string(id)+sharded.CompleteBlobSuffix)
}

func writeSynced(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}
