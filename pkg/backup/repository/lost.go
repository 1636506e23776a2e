package repository

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/object"
)

// packPrefixes are how the names of packs begin: of objects, and of what finds them.
var packPrefixes = []blob.ID{"p", "q"}

// packs lists the packs that are in the storage, with their lengths.
func (r *Repository) packs(ctx context.Context) (map[blob.ID]int64, error) {
	found := map[blob.ID]int64{}
	for _, prefix := range packPrefixes {
		err := r.storage.ListBlobs(ctx, prefix, func(metadata blob.Metadata) error {
			found[metadata.BlobID] = metadata.Length
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// damage is what the index names and the storage does not give back.
type damage struct {
	// packs that are gone or cut off.
	packs map[blob.ID]bool
	// contents that cannot be read although their pack is there.
	contents map[content.ID]bool
}

func (d *damage) empty() bool { return d == nil || len(d.packs)+len(d.contents) == 0 }

func (d *damage) has(info content.Info) bool {
	return d.packs[info.PackBlobID] || d.contents[info.ContentID]
}

// Damage says how much of what the repository holds is lost.
type Damage struct {
	// Packs that are gone or cut off, and contents in others that cannot be read.
	Packs, Contents int
}

// Examine compares the index with a list of the packs in the storage, and reads the
// snapshots of suspects, which were found to be damaged, to see what of them can be
// read. What is lost is written anew by the Write that follows, if it is still in the
// cluster: without this, nothing would be written that the index names already.
func (r *Repository) Examine(ctx context.Context, suspects ...string) (Damage, error) {
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	found, err := r.examine(ctx, suspects)
	if err != nil {
		return Damage{}, r.wrapLost(ctx, err, "cannot compare the index with the packs of the repository at %s", r.config)
	}
	r.damage = found
	return Damage{Packs: len(found.packs), Contents: len(found.contents)}, nil
}

func (r *Repository) examine(ctx context.Context, suspects []string) (*damage, error) {
	// The index first: a pack is written before the index that names it.
	if err := r.direct.Refresh(ctx); err != nil {
		return nil, err
	}
	ends := map[blob.ID]int64{}
	err := r.direct.ContentReader().IterateContents(ctx, content.IterateOptions{}, func(info content.Info) error {
		ends[info.PackBlobID] = max(ends[info.PackBlobID], int64(info.PackOffset)+int64(info.PackedLength))
		return nil
	})
	if err != nil {
		return nil, err
	}
	there, err := r.packs(ctx)
	if err != nil {
		return nil, err
	}
	found := &damage{packs: map[blob.ID]bool{}, contents: map[content.ID]bool{}}
	for pack, end := range ends {
		if length, ok := there[pack]; !ok || end > length {
			found.packs[pack] = true
		}
	}
	for _, id := range suspects {
		if err := r.readContents(ctx, id, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// readContents adds what cannot be read of a snapshot. One of which too much is lost
// to find the rest has nothing to add: it is named when it is verified.
func (r *Repository) readContents(ctx context.Context, id string, found *damage) error {
	reader, err := r.Read(ctx, id)
	if err != nil {
		return notDamage(err)
	}
	return reader.eachFile(func(file object.ID) error {
		contents, err := r.direct.VerifyObject(ctx, file)
		if err != nil {
			return notDamage(err)
		}
		for _, one := range contents {
			if err := r.readContent(ctx, one, found); err != nil {
				return err
			}
		}
		return nil
	})
}

// readContent adds a content that cannot be read.
func (r *Repository) readContent(ctx context.Context, id content.ID, found *damage) error {
	info, err := r.direct.ContentInfo(ctx, id)
	if err != nil || found.has(info) {
		return notDamage(err)
	}
	if _, err = r.direct.ContentReader().GetContent(ctx, id); err == nil {
		return nil
	}
	if err := notDamage(err); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	found.contents[id] = true
	return nil
}

// notDamage returns an error that is not about the data: then nothing was found out.
func notDamage(err error) error {
	if err == nil {
		return nil
	}
	var typed *Error
	var known *fault
	switch {
	case errors.Is(err, errNoAnswer), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &known), errors.As(err, &typed) && typed.Reason != Corrupt && typed.Reason != NotFound:
		return err
	}
	return nil
}

// healing writes anew what the index names and the storage has lost.
type healing struct {
	session repo.DirectRepositoryWriter
	damage  *damage
}

// forget takes an object's contents that are lost out of the index, so that they can
// be written again, and says whether there were any. Nothing else is taken out: what is
// not written anew may come back some day.
func (h *healing) forget(ctx context.Context, id object.ID) (bool, error) {
	if h == nil {
		return false, nil
	}
	if index, ok := id.IndexObjectID(); ok {
		// What is in an index that is lost cannot be looked at before it is written again.
		if lost, err := h.forget(ctx, index); lost || err != nil {
			return lost, err
		}
		contents, err := h.session.VerifyObject(ctx, id)
		if err != nil {
			return false, err
		}
		lost := false
		for _, one := range contents {
			this, err := h.forgetContent(ctx, one)
			if err != nil {
				return false, err
			}
			lost = lost || this
		}
		return lost, nil
	}
	one, _, ok := id.ContentID()
	if !ok {
		return false, nil
	}
	return h.forgetContent(ctx, one)
}

func (h *healing) forgetContent(ctx context.Context, id content.ID) (bool, error) {
	info, err := h.session.ContentInfo(ctx, id)
	if err != nil || info.Deleted || !h.damage.has(info) {
		return false, err
	}
	if h.damage.contents[id] {
		delete(h.damage.contents, id) // its pack is there, and the new one is not known by it
	}
	return true, h.session.ContentManager().DeleteContent(ctx, id)
}

// VerifyAll says of each snapshot whether every piece of it is known and the packs
// that hold them are in the storage, by one list for all. It returns the errors of
// those that are damaged, or not there.
func (r *Repository) VerifyAll(ctx context.Context, ids []string) (map[string]error, error) {
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	if err := r.direct.Refresh(ctx); err != nil {
		return nil, r.wrapLost(ctx, err, "cannot read the repository at %s", r.config)
	}
	there, err := r.packs(ctx)
	if err != nil {
		return nil, r.wrapLost(ctx, err, "cannot list the repository at %s", r.config)
	}
	damaged := map[string]error{}
	for _, id := range ids {
		reader, err := r.Read(ctx, id)
		if err == nil {
			err = r.wrapDamaged(ctx, r.verifyPacks(ctx, reader, there), "the snapshot %s in the repository at %s is damaged", id, r.config)
		}
		switch reason := ReasonOf(err); {
		case err == nil:
		case reason == Corrupt, reason == NotFound:
			damaged[id] = err
		default:
			return nil, err
		}
	}
	return damaged, nil
}

// ReadShare reads the part of all that the repository holds whose turn it was after
// one point in time and until another, when everything is to have been read within a
// period. It returns how much was read, and notes what cannot be.
func (r *Repository) ReadShare(ctx context.Context, after, until time.Time, within time.Duration) (bytes int64, lost Damage, err error) {
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	found := r.damage
	if found == nil {
		found = &damage{packs: map[blob.ID]bool{}, contents: map[content.ID]bool{}}
	}
	var turn []content.ID
	err = r.direct.ContentReader().IterateContents(ctx, content.IterateOptions{}, func(info content.Info) error {
		if isTurn(info.ContentID, after, until, within) && !found.has(info) {
			turn = append(turn, info.ContentID)
			bytes += int64(info.PackedLength)
		}
		return nil
	})
	for _, id := range turn {
		if err == nil {
			err = r.readContent(ctx, id, found)
		}
	}
	if err != nil {
		return 0, Damage{}, r.wrapLost(ctx, err, "cannot read a share of the repository at %s", r.config)
	}
	r.damage = found
	return bytes, Damage{Packs: len(found.packs), Contents: len(found.contents)}, nil
}

// isTurn says whether a content's turn comes after one point in time and until another.
// Each has its turn once in a period, at a point that its ID decides: whatever the times
// are at which somebody asks, each is read once while they ask at all.
func isTurn(id content.ID, after, until time.Time, within time.Duration) bool {
	if within <= 0 || !until.After(after) {
		return false
	}
	if until.Sub(after) >= within {
		return true
	}
	hash := id.Hash()
	if len(hash) < 8 {
		return true
	}
	turn := int64(binary.BigEndian.Uint64(hash) % uint64(within)) //nolint:gosec // less than within
	since := func(at time.Time) int64 {
		passed := at.UnixNano() % int64(within)
		return (passed - turn + int64(within)) % int64(within)
	}
	// How long ago its last turn was, at the end: less than what has passed.
	return since(until) < int64(until.Sub(after))
}

func missing(pack blob.ID) error {
	return fmt.Errorf("the blob %s is missing or cut off: %w", pack, blob.ErrBlobNotFound)
}
