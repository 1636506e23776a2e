package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/bounded"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// Writer writes one snapshot. Its methods may be called concurrently.
type Writer struct {
	session repo.RepositoryWriter
	work    *work
	// healing is there when something was lost.
	healing   *healing
	healingMu sync.Mutex

	mu       sync.Mutex
	manifest Manifest
	entries  map[string]*snapshot.DirEntry
}

// Write makes a snapshot of what fill writes. When fill fails, or the process dies,
// there is no snapshot, and what was uploaded is reused by the next one or cleaned
// up by Maintain. Write returns when the snapshot was written, read back and found
// to be what was written.
func (r *Repository) Write(ctx context.Context, source Source, fill func(ctx context.Context, w *Writer) error) (*Snapshot, error) {
	if source.Namespace == "" || source.Backup == "" || source.Run == "" {
		return nil, &Error{Reason: InvalidConfiguration, Message: "a snapshot needs the namespace and the names of its Backup and BackupRun"}
	}
	w := &Writer{entries: map[string]*snapshot.DirEntry{}, manifest: Manifest{
		Version: ManifestVersion, Cluster: ClusterInfo{UID: r.owner.ClusterUID}, Source: source, StartTime: time.Now().UTC(),
	}}
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	before := r.storage.written.Load()
	var written *snapshot.Manifest
	if r.damage == nil {
		if _, err := r.Examine(ctx); err != nil {
			return nil, err
		}
	}
	err := repo.DirectWriteSession(ctx, r.direct, repo.WriteSessionOptions{Purpose: "backup"},
		func(ctx context.Context, session repo.DirectRepositoryWriter) error {
			w.session = session
			if !r.damage.empty() {
				w.healing = &healing{session: session, damage: r.damage}
			}
			var workers context.Context
			w.work, workers = newWork(ctx)
			filled := fill(workers, w)
			// What workers failed at comes first: fill has failed because of it.
			if err := w.work.wait(); err != nil {
				return err
			}
			if filled != nil {
				return callback(ctx, filled)
			}
			var err error
			written, err = r.finish(ctx, w, before)
			return err
		})
	if err != nil {
		return nil, r.wrapLost(ctx, err, "cannot write to the repository at %s", r.config)
	}
	if err := r.readBack(ctx, written.ID, &w.manifest); err != nil {
		return nil, r.wrapLost(ctx, err, "what was written to the repository at %s cannot be read back", r.config)
	}
	return toSnapshot(written), nil
}

// callback is what fill has failed with: its own error, unless the storage is the cause.
func callback(ctx context.Context, err error) error {
	var typed *Error
	var hopeless *hopelessError
	if errors.As(err, &typed) || errors.As(context.Cause(ctx), &hopeless) {
		return err
	}
	return &callbackError{err}
}

// finish writes the directory and, when all data is in the storage, the entry that
// makes it a snapshot.
func (r *Repository) finish(ctx context.Context, w *Writer, before int64) (*snapshot.Manifest, error) {
	root, err := w.writeRoot(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.session.Flush(ctx); err != nil {
		return nil, err
	}
	if err := r.checkIdentity(ctx); err != nil {
		return nil, err
	}
	entry := &snapshot.Manifest{
		Source:    r.kopiaSource(w.manifest.Source.Namespace, w.manifest.Source.Backup),
		StartTime: fs.UTCTimestamp(w.manifest.StartTime.UnixNano()), EndTime: fs.UTCTimestamp(time.Now().UnixNano()),
		Description: "fedctl BackupRun " + w.manifest.Source.Namespace + "/" + w.manifest.Source.Run,
		RootEntry:   root,
		Tags:        tags(&w.manifest, r.storage.written.Load()-before),
	}
	entry.Stats.TotalFileCount = int32(min(root.DirSummary.TotalFileCount, 1<<30)) //nolint:gosec // bounded
	entry.Stats.TotalFileSize = root.DirSummary.TotalFileSize
	entry.Stats.TotalDirectoryCount = 2
	_, err = snapshot.SaveSnapshot(ctx, w.session, entry)
	return entry, err
}

func (w *Writer) writeRoot(ctx context.Context) (*snapshot.DirEntry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := &w.manifest
	slices.SortFunc(m.Resources, func(a, b ResourceFile) int { return strings.Compare(a.Name(), b.Name()) })
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, err
	}
	// With the directories, not with the objects: a pack of objects that is lost takes
	// no snapshot with it whose objects are all written anew.
	id, err := w.writeHealed(ctx, append(data, '\n'), object.WriterOptions{
		Description: manifestName, Prefix: "k", Compressor: compressor, MetadataCompressor: compressor,
	})
	if err != nil {
		return nil, err
	}
	var objects snapshotfs.DirManifestBuilder
	for _, entry := range w.entries {
		objects.AddEntry(entry)
	}
	start := fs.UTCTimestamp(m.StartTime.UnixNano())
	directory, err := w.writeDirectory(ctx, &objects, objectsDir, start)
	if err != nil {
		return nil, err
	}
	var root snapshotfs.DirManifestBuilder
	root.AddEntry(directory)
	root.AddEntry(&snapshot.DirEntry{Name: manifestName, Type: snapshot.EntryTypeFile, Permissions: 0o600,
		FileSize: int64(len(data)) + 1, ModTime: start, ObjectID: id})
	return w.writeDirectory(ctx, &root, "backup", start)
}

func (w *Writer) writeDirectory(ctx context.Context, content *snapshotfs.DirManifestBuilder, name string, at fs.UTCTimestamp) (*snapshot.DirEntry, error) {
	built := content.Build(at, "")
	id, err := snapshotfs.WriteDirManifest(ctx, w.session, name, built, compressor)
	return &snapshot.DirEntry{Name: name, Type: snapshot.EntryTypeDirectory, Permissions: 0o700,
		ModTime: at, ObjectID: id, DirSummary: built.Summary}, err
}

// SetKubernetesVersion records the version of the cluster.
func (w *Writer) SetKubernetesVersion(version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.manifest.Cluster.KubernetesVersion = version
}

// Warn records something that went wrong and makes the snapshot partial.
func (w *Writer) Warn(warning v1alpha1.ResourceWarning) {
	w.note(warning, true)
}

// Note records something worth knowing that does not make the snapshot partial.
func (w *Writer) Note(warning v1alpha1.ResourceWarning) {
	w.note(warning, false)
}

// note keeps a message short, whoever has written it: it goes into a status with many
// others.
func (w *Writer) note(warning v1alpha1.ResourceWarning, partial bool) {
	warning.Message = errtext.Bounded(warning.Message, bounded.Message)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.manifest.Warnings = append(w.manifest.Warnings, warning)
	w.manifest.Partial = w.manifest.Partial || partial
}

// LeaveOut records what is not saved on purpose.
func (w *Writer) LeaveOut(left LeftOut) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.manifest.LeftOut = append(w.manifest.LeftOut, left)
}

// AddVolumeSnapshot records a VolumeSnapshot that was made for this run.
func (w *Writer) AddVolumeSnapshot(record v1alpha1.VolumeSnapshotRecord) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.manifest.VolumeSnapshots = append(w.manifest.VolumeSnapshots, record)
}

// Manifest returns a copy of what was recorded so far.
func (w *Writer) Manifest() Manifest {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.manifest
	m.Resources = slices.Clone(m.Resources)
	m.Warnings = slices.Clone(m.Warnings)
	m.LeftOut = slices.Clone(m.LeftOut)
	m.VolumeSnapshots = slices.Clone(m.VolumeSnapshots)
	return m
}

// checkIdentity says whether the repository is still the one that was opened. One
// that was removed, or made anew by somebody else, cannot be read with our keys.
func (r *Repository) checkIdentity(ctx context.Context) error {
	return r.brief(ctx, func(ctx context.Context) error {
		identity, err := readIdentity(ctx, r.target)
		switch {
		case err != nil:
			return err
		case identity == "":
			if err := r.target.check(ctx); err != nil {
				return err
			}
			return &Error{Reason: NotFound, Message: "the repository is gone"}
		case identity != r.identity:
			return &Error{Reason: ForeignOwner, Message: "the repository was replaced by another one"}
		}
		return nil
	})
}

// readBack is what makes a run a success: the storage, not our memory, has to give
// back the manifest and know every piece that the snapshot consists of, and it has
// every pack that they are in, also those that were written by runs before.
func (r *Repository) readBack(ctx context.Context, id snapshotID, want *Manifest) error {
	if err := r.direct.Refresh(ctx); err != nil {
		return err
	}
	reader, err := r.Read(ctx, string(id))
	if err != nil {
		return err
	}
	expected, err := json.Marshal(want)
	if err != nil {
		return err
	}
	got, err := json.Marshal(reader.manifest)
	if err != nil {
		return err
	}
	if !bytes.Equal(expected, got) {
		return &Error{Reason: Corrupt, Message: fmt.Sprintf("%s is not what was written", manifestName)}
	}
	there, err := r.packs(ctx)
	if err != nil {
		return err
	}
	return r.verifyPacks(ctx, reader, there)
}

// wrapLost gives an error a reason; what is missing from the storage may be missing
// because all of it is.
func (r *Repository) wrapLost(ctx context.Context, err error, format string, args ...any) error {
	wrapped := wrap(ctx, err, format, args...)
	var typed *Error
	if !errors.As(wrapped, &typed) || (typed.Reason != Corrupt && typed.Reason != StorageError) || r.storage.silent.Load() {
		return wrapped
	}
	lost := r.brief(ctx, r.target.check)
	if lost == nil {
		return wrapped
	}
	return wrap(ctx, lost, format, args...)
}

func (w *Writer) writeObject(ctx context.Context, data []byte, description string) (object.ID, error) {
	return w.writeHealed(ctx, data, object.WriterOptions{Description: description, Compressor: compressor, MetadataCompressor: compressor})
}

// maxHealings is more than the depth of any object: an index and its pieces.
const maxHealings = 4

// writeHealed writes an object, and what of it has been lost once more.
func (w *Writer) writeHealed(ctx context.Context, data []byte, options object.WriterOptions) (object.ID, error) {
	id, err := w.writeOnce(ctx, data, options)
	if err != nil || w.healing == nil {
		return id, err
	}
	w.healingMu.Lock()
	defer w.healingMu.Unlock()
	for range maxHealings {
		lost, err := w.healing.forget(ctx, id)
		if err != nil || !lost {
			return id, err
		}
		if id, err = w.writeOnce(ctx, data, options); err != nil {
			return id, err
		}
	}
	return id, &Error{Reason: Corrupt, Message: "what was lost from the storage cannot be written anew"}
}

func (w *Writer) writeOnce(ctx context.Context, data []byte, options object.WriterOptions) (object.ID, error) {
	writer := w.session.NewObjectWriter(ctx, options)
	defer func() { _ = writer.Close() }()
	if _, err := writer.Write(data); err != nil {
		return object.EmptyID, err
	}
	return writer.Result()
}
