package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/object"
)

// Verify says whether a snapshot can be read. Without full, that every piece of it
// is known and the packs that hold them are in the storage; with full, everything is
// read, decrypted and decompressed, which compares it with its checksums, and the
// objects are counted.
func (r *Repository) Verify(ctx context.Context, id string, full bool) error {
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	if err := r.direct.Refresh(ctx); err != nil {
		return r.wrapLost(ctx, err, "cannot read the repository at %s", r.config)
	}
	reader, err := r.Read(ctx, id)
	if err != nil {
		return err
	}
	there, err := r.packs(ctx)
	if err != nil {
		return r.wrapLost(ctx, err, "cannot list the repository at %s", r.config)
	}
	if err := r.verifyPacks(ctx, reader, there); err != nil {
		return r.wrapDamaged(ctx, err, "the snapshot %s in the repository at %s is damaged", id, r.config)
	}
	if !full {
		return nil
	}
	for i := range reader.manifest.Resources {
		if err := reader.verifyResource(ctx, &reader.manifest.Resources[i]); err != nil {
			return r.wrapDamaged(ctx, err, "the snapshot %s in the repository at %s is damaged", id, r.config)
		}
	}
	return nil
}

// verifyPacks says whether all pieces are in the index that the storage has given
// back, in packs that are there, and all files are there that the manifest names.
func (r *Repository) verifyPacks(ctx context.Context, reader *Reader, packs map[blob.ID]int64) error {
	return reader.eachFile(func(id object.ID) error {
		contents, err := r.direct.VerifyObject(ctx, id)
		if err != nil {
			return err
		}
		for _, contentID := range contents {
			if r.damage != nil && r.damage.contents[contentID] {
				return fmt.Errorf("the piece %s: %w", contentID, errUnreadable)
			}
			info, err := r.direct.ContentInfo(ctx, contentID)
			if err != nil {
				return err
			}
			length, ok := packs[info.PackBlobID]
			if !ok || int64(info.PackOffset)+int64(info.PackedLength) > length {
				return missing(info.PackBlobID)
			}
		}
		return nil
	})
}

// eachFile calls check for the file of each resource that has objects.
func (r *Reader) eachFile(check func(id object.ID) error) error {
	for i := range r.manifest.Resources {
		file := &r.manifest.Resources[i]
		id, ok := r.files[file.fileName()]
		if !ok && file.Objects > 0 {
			return &Error{Reason: Corrupt, Message: fmt.Sprintf("the file of %s is missing", file.Name())}
		}
		if !ok {
			continue
		}
		if err := check(id); err != nil {
			return fmt.Errorf("%s: %w", file.Name(), err)
		}
	}
	return nil
}

func (r *Reader) verifyResource(ctx context.Context, file *ResourceFile) error {
	id, ok := r.files[file.fileName()]
	if !ok {
		return nil
	}
	var objects, bytes int64
	valid := true
	err := r.each(ctx, id, func(line []byte) bool {
		objects++
		bytes += int64(len(line)) + 1
		valid = valid && json.Valid(line)
		return valid && ctx.Err() == nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", file.Name(), err)
	case ctx.Err() != nil:
		return ctx.Err()
	case !valid:
		return &Error{Reason: Corrupt, Message: fmt.Sprintf("object %d of %s is not valid JSON", objects, file.Name())}
	case objects != file.Objects || bytes != file.Bytes:
		return &Error{Reason: Corrupt, Message: fmt.Sprintf(
			"%s has %d objects in %d bytes, the manifest says %d in %d", file.Name(), objects, bytes, file.Objects, file.Bytes)}
	}
	return nil
}

// wrapDamaged is wrapLost for reading: an error without a reason of its own means
// that the data is not what was written.
func (r *Repository) wrapDamaged(ctx context.Context, err error, format string, args ...any) error {
	wrapped := r.wrapLost(ctx, err, format, args...)
	var typed *Error
	if errors.As(wrapped, &typed) && typed.Reason == StorageError {
		typed.Reason = Corrupt
	}
	return wrapped
}
