package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"
)

// Mend makes a repository usable again that has lost what finds its snapshots, and says
// whether there was any such loss. expected are the snapshots that are to be in it.
//
// Entries of snapshots whose pack is gone are taken out of the index: as long as they
// are in it, no entry can be read. Where snapshots are missing although all packs of
// entries are there, a blob of the index is gone: what packs say of themselves that no
// index names is put into it again. That is done only then, since such packs are also
// what clean-up has not removed yet.
func (r *Repository) Mend(ctx context.Context, expected []string) (lost bool, err error) {
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	lost, err = r.mend(ctx, expected)
	return lost, r.wrapLost(ctx, err, "cannot mend the index of the repository at %s", r.config)
}

func (r *Repository) mend(ctx context.Context, expected []string) (lost bool, err error) {
	entries, err := r.lostEntries(ctx)
	if err != nil {
		return false, err
	}
	if len(entries) > 0 {
		if err := r.forgetEntries(ctx, entries); err != nil {
			return true, err
		}
	}
	missing, err := r.missing(ctx, expected)
	if err != nil || !missing {
		return len(entries) > 0, err
	}
	return true, r.recoverIndex(ctx)
}

// entryPrefix begins the contents that hold entries of snapshots.
const entryPrefix = "m"

// lostEntries are the entries of snapshots whose packs are gone: Examine did not find
// them in the list, and the storage says of each that it is not there.
func (r *Repository) lostEntries(ctx context.Context) ([]content.ID, error) {
	if r.damage.empty() {
		return nil, nil
	}
	var found []content.ID
	gone := map[blob.ID]bool{}
	err := r.direct.ContentReader().IterateContents(ctx, content.IterateOptions{}, func(info content.Info) error {
		if !strings.HasPrefix(info.ContentID.String(), entryPrefix) || !r.damage.packs[info.PackBlobID] {
			return nil
		}
		if _, known := gone[info.PackBlobID]; !known {
			_, err := r.storage.GetMetadata(ctx, info.PackBlobID)
			if err != nil && !errors.Is(err, blob.ErrBlobNotFound) {
				return err
			}
			gone[info.PackBlobID] = err != nil
		}
		if gone[info.PackBlobID] {
			found = append(found, info.ContentID)
		}
		return nil
	})
	return found, err
}

func (r *Repository) forgetEntries(ctx context.Context, entries []content.ID) error {
	return r.session(ctx, "mend", func(ctx context.Context, session repo.DirectRepositoryWriter) error {
		for _, id := range entries {
			if err := session.ContentManager().DeleteContent(ctx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// missing says whether a snapshot is not there that should be.
func (r *Repository) missing(ctx context.Context, expected []string) (bool, error) {
	if len(expected) == 0 {
		return false, nil
	}
	found, err := r.Snapshots(ctx, Filter{})
	if err != nil {
		return false, err
	}
	there := map[string]bool{}
	for i := range found {
		there[found[i].ID] = true
	}
	for _, id := range expected {
		if !there[id] {
			return true, nil
		}
	}
	return false, nil
}

// recoverIndex adds to the index what the packs that it does not name hold.
func (r *Repository) recoverIndex(ctx context.Context) error {
	named := map[blob.ID]bool{}
	err := r.direct.ContentReader().IterateContents(ctx, content.IterateOptions{IncludeDeleted: true}, func(info content.Info) error {
		named[info.PackBlobID] = true
		return nil
	})
	if err != nil {
		return err
	}
	packs, err := r.packs(ctx)
	if err != nil {
		return err
	}
	return r.session(ctx, "mend", func(ctx context.Context, session repo.DirectRepositoryWriter) error {
		for pack, length := range packs {
			if named[pack] {
				continue
			}
			// One that is cut off says nothing of itself; what it held stays lost.
			if _, err := session.ContentManager().RecoverIndexFromPackBlob(ctx, pack, length, true); notDamage(err) != nil {
				return fmt.Errorf("reading the pack %s: %w", pack, err)
			}
		}
		return nil
	})
}

// session runs a write session, and makes what it has written known to readers.
func (r *Repository) session(ctx context.Context, purpose string, write func(ctx context.Context, session repo.DirectRepositoryWriter) error) error {
	if err := repo.DirectWriteSession(ctx, r.direct, repo.WriteSessionOptions{Purpose: purpose}, write); err != nil {
		return err
	}
	return r.direct.Refresh(ctx)
}
