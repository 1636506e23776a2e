package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo/compression"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"

	"github.com/fedctl/fedctl/pkg/backup/bounded"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// compressor of everything: fast, and objects of one resource are alike.
const compressor compression.Name = "zstd-fastest"

// How a file is divided into pieces, the units of deduplication: after the first
// object beyond minPiece whose key's hash has its lowest bits 0. Unlike a rolling
// hash of the content, this finds the same places again when an object changes, and
// it costs nothing.
const (
	minPiece  = 16 << 10
	maxPiece  = 1 << 20
	pieceBits = 1<<2 - 1
)

// ResourceWriter writes the objects of one resource. It belongs to one goroutine.
type ResourceWriter struct {
	w       *Writer
	file    ResourceFile
	ctx     context.Context //nolint:containedctx // of the session that it is part of
	piece   *bytes.Buffer
	pending sync.WaitGroup
	closed  bool

	mu     sync.Mutex // of what the workers write as well
	pieces []piece
	failed error
}

type piece struct {
	length int64
	id     object.ID
}

// keyHash is FNV-1a: the same in every process, and good enough to divide by.
func keyHash(key string) uint32 {
	hash := uint32(2166136261)
	for i := range len(key) {
		hash = (hash ^ uint32(key[i])) * 16777619
	}
	return hash ^ hash>>15
}

// Resource begins the file of a resource. The writer must be closed or discarded.
func (w *Writer) Resource(ctx context.Context, resource Resource) *ResourceWriter {
	return &ResourceWriter{w: w, ctx: ctx, file: ResourceFile{Resource: resource}, piece: getBuffer()}
}

// Add adds an object: its key, <namespace>/<name>, and its JSON without line breaks.
// Objects should come in the order of their keys. The data is copied.
func (r *ResourceWriter) Add(key string, data []byte) error {
	if bytes.IndexByte(data, '\n') >= 0 {
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			return fmt.Errorf("%s %s is not valid JSON: %w", r.file.Name(), key, err)
		}
		data = compact.Bytes()
	}
	r.piece.Write(data)
	r.piece.WriteByte('\n')
	r.file.Objects++
	size := r.piece.Len()
	if size < minPiece || (keyHash(key)&pieceBits != 0 && size < maxPiece) {
		return nil
	}
	r.flush()
	return r.error()
}

// Objects is how many were added.
func (r *ResourceWriter) Objects() int64 { return r.file.Objects }

// flush hands the piece to a worker.
func (r *ResourceWriter) flush() {
	buffer := r.piece
	r.piece = getBuffer()
	// A worker may be noting another piece's object, in what append is copying.
	r.mu.Lock()
	index := len(r.pieces)
	r.pieces = append(r.pieces, piece{length: int64(buffer.Len())})
	r.mu.Unlock()
	r.file.Bytes += int64(buffer.Len())
	r.pending.Add(1)
	r.w.work.do(func() error {
		defer r.pending.Done()
		defer putBuffer(buffer)
		id, err := r.w.writeObject(r.ctx, buffer.Bytes(), r.file.Name())
		r.mu.Lock()
		defer r.mu.Unlock()
		r.pieces[index].id = id
		if err != nil && r.failed == nil {
			r.failed = err
		}
		return err
	})
}

func (r *ResourceWriter) error() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return wrap(r.ctx, r.failed, "cannot write %s", r.file.Name())
}

// Discard forgets the file, for a list that has to be begun anew.
func (r *ResourceWriter) Discard() {
	r.pending.Wait()
	putBuffer(r.piece)
	r.piece, r.closed = nil, true
}

// Close ends the file. problem says why objects are missing, if they are: the
// snapshot is then partial.
func (r *ResourceWriter) Close(problem string) error {
	if r.closed {
		return errors.New("the file of a resource was closed twice")
	}
	r.closed = true
	if r.piece.Len() > 0 {
		r.flush()
	}
	putBuffer(r.piece)
	r.pending.Wait()
	if err := r.error(); err != nil {
		return err
	}
	r.file.Error = errtext.Bounded(problem, bounded.Message)
	return r.w.add(r.ctx, r.file, r.pieces)
}

// add puts a file into the directory.
func (w *Writer) add(ctx context.Context, file ResourceFile, pieces []piece) error {
	var entry *snapshot.DirEntry
	if len(pieces) > 0 {
		id, err := w.join(ctx, pieces)
		if err != nil {
			return wrap(ctx, err, "cannot write %s", file.Name())
		}
		entry = &snapshot.DirEntry{Name: file.fileName(), Type: snapshot.EntryTypeFile, Permissions: 0o600,
			FileSize: file.Bytes, ObjectID: id}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.entries[file.fileName()] != nil {
		return fmt.Errorf("the resource %s was written twice", file.Name())
	}
	w.manifest.Resources = append(w.manifest.Resources, file)
	w.manifest.Partial = w.manifest.Partial || file.Error != ""
	if entry != nil {
		entry.ModTime = fs.UTCTimestamp(w.manifest.StartTime.UnixNano())
		w.entries[file.fileName()] = entry
	}
	return nil
}

// join makes one object of the pieces. kopia's own way reads each piece back for its
// length, which we know.
func (w *Writer) join(ctx context.Context, pieces []piece) (object.ID, error) {
	if len(pieces) == 1 {
		return pieces[0].id, nil
	}
	index := struct {
		Stream  string                       `json:"stream"`
		Entries []object.IndirectObjectEntry `json:"entries"`
	}{Stream: "kopia:indirect"}
	var start int64
	for _, p := range pieces {
		index.Entries = append(index.Entries, object.IndirectObjectEntry{Start: start, Length: p.length, Object: p.id})
		start += p.length
	}
	data, err := json.Marshal(index)
	if err != nil {
		return object.EmptyID, err
	}
	id, err := w.writeHealed(ctx, append(data, '\n'), object.WriterOptions{
		Description: "index", Prefix: "x", Compressor: compressor, MetadataCompressor: compressor,
	})
	if err != nil {
		return object.EmptyID, err
	}
	return object.ParseID("I" + id.String())
}

// work runs a bounded number of functions at a time: compression, hashing and
// encryption go on while the next objects are read.
type work struct {
	slots  chan struct{}
	group  sync.WaitGroup
	cancel context.CancelFunc
	mu     sync.Mutex
	err    error
}

func newWork(ctx context.Context) (*work, context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	return &work{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), cancel: cancel}, ctx
}

// do waits for a free slot and runs the function. The first error cancels the
// context of all.
func (p *work) do(function func() error) {
	p.slots <- struct{}{}
	p.group.Go(func() {
		defer func() { <-p.slots }()
		if err := function(); err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.err == nil {
				p.err = err
				p.cancel()
			}
		}
	})
}

func (p *work) wait() error {
	p.group.Wait()
	p.cancel()
	return p.err
}

var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 4*minPiece)) }}

func getBuffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) } //nolint:forcetypeassert // the pool's only type

func putBuffer(b *bytes.Buffer) {
	if b.Cap() > 2*maxPiece {
		return
	}
	b.Reset()
	buffers.Put(b)
}
