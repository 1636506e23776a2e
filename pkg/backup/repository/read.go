package repository

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"
)

// Reader reads one snapshot. Its methods may be called concurrently.
type Reader struct {
	repository *Repository
	snapshot   *Snapshot
	manifest   *Manifest
	files      map[string]object.ID
	root       fs.Entry
}

func isNotFound(err error) bool { return errors.Is(err, snapshot.ErrSnapshotNotFound) }

// Read opens a snapshot by its ID.
func (r *Repository) Read(ctx context.Context, id string) (*Reader, error) {
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	loaded, err := snapshot.LoadSnapshot(ctx, r.direct, snapshotID(id))
	if isNotFound(err) {
		// It may have been written after the repository was opened.
		if err := r.direct.Refresh(ctx); err != nil {
			return nil, r.wrapLost(ctx, err, "cannot read the repository at %s", r.config)
		}
		loaded, err = snapshot.LoadSnapshot(ctx, r.direct, snapshotID(id))
	}
	if err != nil {
		return nil, r.wrapLost(ctx, err, "cannot find the snapshot %s in the repository at %s", id, r.config)
	}
	reader := &Reader{repository: r, snapshot: toSnapshot(loaded), files: map[string]object.ID{}}
	if err := reader.load(ctx, loaded); err != nil {
		return nil, r.wrapDamaged(ctx, err, "cannot read the snapshot %s in the repository at %s", id, r.config)
	}
	return reader, nil
}

func (r *Reader) load(ctx context.Context, from *snapshot.Manifest) error {
	root, err := snapshotfs.SnapshotRoot(r.repository.direct, from)
	if err != nil {
		return err
	}
	r.root = root
	directory, ok := root.(fs.Directory)
	if !ok {
		return errors.New("the snapshot is not a directory")
	}
	if err := r.loadManifest(ctx, directory); err != nil {
		return err
	}
	objects, err := directory.Child(ctx, objectsDir)
	if err != nil {
		return fmt.Errorf("%s: %w", objectsDir, err)
	}
	listed, ok := objects.(fs.Directory)
	if !ok {
		return fmt.Errorf("%s is not a directory", objectsDir)
	}
	return fs.IterateEntries(ctx, listed, func(_ context.Context, entry fs.Entry) error {
		if with, ok := entry.(object.HasObjectID); ok {
			r.files[entry.Name()] = with.ObjectID()
		}
		return nil
	})
}

func (r *Reader) loadManifest(ctx context.Context, directory fs.Directory) error {
	entry, err := directory.Child(ctx, manifestName)
	if err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	with, ok := entry.(object.HasObjectID)
	if !ok {
		return fmt.Errorf("%s is not a file", manifestName)
	}
	opened, err := r.repository.direct.OpenObject(ctx, with.ObjectID())
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	data, err := io.ReadAll(io.LimitReader(opened, maxManifestBytes))
	if err != nil {
		return err
	}
	r.manifest, err = parseManifest(data)
	return err
}

// Snapshot is what is being read.
func (r *Reader) Snapshot() Snapshot { return *r.snapshot }

// Manifest says what the snapshot holds.
func (r *Reader) Manifest() Manifest { return *r.manifest }

// maxObjectBytes is far more than an API server accepts for an object.
const maxObjectBytes = 32 << 20

// Objects iterates over the objects of a resource, as JSON, in the order in which
// they were added. The slice is valid until the next one. After an error the
// iteration ends.
func (r *Reader) Objects(ctx context.Context, resource Resource) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		id, ok := r.files[resource.fileName()]
		if !ok {
			return
		}
		if err := r.each(ctx, id, func(line []byte) bool { return yield(line, nil) }); err != nil {
			yield(nil, r.repository.wrapDamaged(ctx, err, "cannot read %s of the snapshot %s in the repository at %s",
				resource.Name(), r.snapshot.ID, r.repository.config))
		}
	}
}

func (r *Reader) each(ctx context.Context, id object.ID, use func(line []byte) bool) error {
	r.repository.prefetch(ctx, id)
	opened, err := r.repository.direct.OpenObject(ctx, id)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	return eachLine(opened, use)
}

// eachLine calls use for each line until it returns false.
func eachLine(from io.Reader, use func(line []byte) bool) error {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 0, 64<<10), maxObjectBytes)
	for scanner.Scan() {
		if len(scanner.Bytes()) > 0 && !use(scanner.Bytes()) {
			return nil
		}
	}
	return scanner.Err()
}

// prefetch fetches whole packs from a bucket instead of each piece by a request.
func (r *Repository) prefetch(ctx context.Context, id object.ID) {
	if r.target.cancellable() {
		// An error shows when the data is read.
		_, _ = r.direct.PrefetchObjects(ctx, []object.ID{id}, "default")
	}
}
