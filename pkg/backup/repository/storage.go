package repository

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/format"
)

// storage is kopia's storage with a time-out for every request, and counters.
type storage struct {
	blob.Storage
	handle      string
	timeout     time.Duration
	cancellable bool

	written atomic.Int64
	read    atomic.Int64
	// silent is set when a request got no answer: those after it, which kopia may still
	// make to clean up, fail at once, so that time-outs do not add up.
	silent atomic.Bool

	// waiting are the operations that end when lists keep failing.
	waitingMu   sync.Mutex
	waiting     map[context.Context]context.CancelCauseFunc
	failedLists int
}

// bytesPerSecond is the least that an upload must achieve on average.
const bytesPerSecond = 128 << 10

// call makes a request within its time.
func (s *storage) call(ctx context.Context, extra time.Duration, request func(ctx context.Context) error) error {
	if !s.cancellable {
		return request(ctx)
	}
	if s.silent.Load() {
		return errNoAnswer
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout+extra)
	defer cancel()
	err := request(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil && !errors.Is(err, blob.ErrBlobNotFound) {
		s.silent.Store(true)
		return fmt.Errorf("%w (%s): %w", errNoAnswer, s.timeout+extra, err)
	}
	return err
}

func (s *storage) GetBlob(ctx context.Context, id blob.ID, offset, length int64, output blob.OutputBuffer) error {
	err := s.call(ctx, s.timeout, func(ctx context.Context) error {
		return s.Storage.GetBlob(ctx, id, offset, length, output)
	})
	if err == nil {
		s.read.Add(int64(output.Length()))
	}
	return err
}

func (s *storage) GetMetadata(ctx context.Context, id blob.ID) (metadata blob.Metadata, err error) {
	err = s.call(ctx, 0, func(ctx context.Context) error {
		metadata, err = s.Storage.GetMetadata(ctx, id)
		return err
	})
	return metadata, err
}

func (s *storage) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, options blob.PutOptions) error {
	if id == format.KopiaBlobCfgBlobID {
		return nil // see initStorage, and reencrypt
	}
	extra := time.Duration(data.Length()/bytesPerSecond) * time.Second
	err := s.call(ctx, extra, func(ctx context.Context) error {
		return s.Storage.PutBlob(ctx, id, data, options)
	})
	if err == nil {
		s.written.Add(int64(data.Length()))
	}
	return err
}

func (s *storage) DeleteBlob(ctx context.Context, id blob.ID) error {
	return s.call(ctx, 0, func(ctx context.Context) error { return s.Storage.DeleteBlob(ctx, id) })
}

// maxFailedLists is how often in a row a list may fail before what needs it is given up.
const maxFailedLists = 3

// hopelessError ends what kopia would repeat for ever.
type hopelessError struct{ err error }

func (e *hopelessError) Error() string { return e.err.Error() }
func (e *hopelessError) Unwrap() error { return e.err }

// hopeful returns a context that ends, with the reason as its cause, when the storage
// cannot be listed: kopia reads its indexes again and again until its context ends.
func (s *storage) hopeful(ctx context.Context) (limited context.Context, done func()) {
	limited, cancel := context.WithCancelCause(ctx)
	s.waitingMu.Lock()
	defer s.waitingMu.Unlock()
	if s.waiting == nil {
		s.waiting = map[context.Context]context.CancelCauseFunc{}
	}
	s.waiting[limited] = cancel
	return limited, func() {
		s.waitingMu.Lock()
		delete(s.waiting, limited)
		s.waitingMu.Unlock()
		cancel(nil)
	}
}

// listed counts lists that failed.
func (s *storage) listed(err error) {
	s.waitingMu.Lock()
	defer s.waitingMu.Unlock()
	if err == nil {
		s.failedLists = 0
		return
	}
	if s.failedLists++; s.failedLists < maxFailedLists && !s.silent.Load() {
		return
	}
	for _, cancel := range s.waiting {
		cancel(&hopelessError{err})
	}
}

// ListBlobs may take many requests: the time counts from one blob to the next.
func (s *storage) ListBlobs(ctx context.Context, prefix blob.ID, callback func(blob.Metadata) error) error {
	err := s.listBlobs(ctx, prefix, callback)
	if ctx.Err() == nil {
		s.listed(err)
	}
	return err
}

func (s *storage) listBlobs(ctx context.Context, prefix blob.ID, callback func(blob.Metadata) error) error {
	if !s.cancellable {
		return s.Storage.ListBlobs(ctx, prefix, callback)
	}
	if s.silent.Load() {
		return errNoAnswer
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(s.timeout, func() { cancel(errNoAnswer) })
	defer watchdog.Stop()
	err := s.Storage.ListBlobs(limited, prefix, func(metadata blob.Metadata) error {
		watchdog.Stop()
		defer watchdog.Reset(s.timeout)
		return callback(metadata)
	})
	if errors.Is(context.Cause(limited), errNoAnswer) {
		s.silent.Store(true)
		return fmt.Errorf("%w (%s): %w", errNoAnswer, s.timeout, limited.Err())
	}
	return err
}

// ConnectionInfo names the storage in kopia's configuration file, which must hold no
// credentials: kopia looks the storage up in this process instead of opening it.
func (s *storage) ConnectionInfo() blob.ConnectionInfo {
	return blob.ConnectionInfo{Type: handleType, Config: &handleOptions{Handle: s.handle}}
}

// handleType is the kind of storage that kopia finds by its handle.
const handleType = "fedctl-handle"

type handleOptions struct {
	Handle string `json:"handle"`
}

// handles are the open storages of this process.
var handles = struct {
	sync.Mutex
	once     sync.Once
	next     int
	byHandle map[string]*storage
}{byHandle: map[string]*storage{}}

func (s *storage) register() {
	handles.once.Do(func() {
		blob.AddSupportedStorage(handleType, handleOptions{},
			func(_ context.Context, options *handleOptions, _ bool) (blob.Storage, error) {
				handles.Lock()
				defer handles.Unlock()
				if found := handles.byHandle[options.Handle]; found != nil {
					return found, nil
				}
				return nil, fmt.Errorf("the storage %s is not open", options.Handle)
			})
	})
	handles.Lock()
	defer handles.Unlock()
	handles.next++
	s.handle = strconv.Itoa(handles.next)
	handles.byHandle[s.handle] = s
}

func (s *storage) unregister() {
	handles.Lock()
	defer handles.Unlock()
	delete(handles.byHandle, s.handle)
}
