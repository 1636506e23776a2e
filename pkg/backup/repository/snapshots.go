package repository

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/snapshot"
)

type snapshotID = manifest.ID

// userName is ours in kopia's names of sources: fedctl@<cluster's UID>:/<namespace>/<backup>.
const userName = "fedctl"

// Snapshot is one run in a repository.
type Snapshot struct {
	// ID names the snapshot in this repository.
	ID string
	// ClusterUID is the cluster that was saved.
	ClusterUID string
	Source
	// StartTime and EndTime are those of reading the cluster and writing.
	StartTime, EndTime time.Time
	// Objects and Bytes count what the snapshot holds, before compression.
	Objects, Bytes int64
	// StoredBytes is what the run added to the storage.
	StoredBytes int64
	// Partial says that something is missing that should be there.
	Partial bool
}

// Filter selects snapshots; an empty field selects all.
type Filter struct {
	Namespace, Backup, Run string
}

// The tags of our snapshots, in the form that the kopia command line knows.
const (
	tagRun       = "tag:fedctl-run"
	tagScheduled = "tag:fedctl-scheduled-for"
	tagObjects   = "tag:fedctl-objects"
	tagBytes     = "tag:fedctl-bytes"
	tagStored    = "tag:fedctl-stored-bytes"
	tagPartial   = "tag:fedctl-partial"
)

func tags(m *Manifest, stored int64) map[string]string {
	objects, bytes := m.Totals()
	result := map[string]string{
		tagRun:     m.Source.Run,
		tagObjects: strconv.FormatInt(objects, 10),
		tagBytes:   strconv.FormatInt(bytes, 10),
		tagStored:  strconv.FormatInt(stored, 10),
	}
	if m.Source.ScheduledFor != nil {
		result[tagScheduled] = m.Source.ScheduledFor.UTC().Format(time.RFC3339)
	}
	if m.Partial {
		result[tagPartial] = "true"
	}
	return result
}

func (r *Repository) kopiaSource(namespace, backup string) snapshot.SourceInfo {
	return snapshot.SourceInfo{UserName: userName, Host: r.owner.ClusterUID, Path: "/" + namespace + "/" + backup}
}

func toSnapshot(m *snapshot.Manifest) *Snapshot {
	namespace, backup, _ := strings.Cut(strings.TrimPrefix(m.Source.Path, "/"), "/")
	s := &Snapshot{
		ID: string(m.ID), ClusterUID: m.Source.Host,
		Source:    Source{Namespace: namespace, Backup: backup, Run: m.Tags[tagRun]},
		StartTime: m.StartTime.ToTime().UTC(), EndTime: m.EndTime.ToTime().UTC(),
		Partial: m.Tags[tagPartial] == "true",
	}
	if at, err := time.Parse(time.RFC3339, m.Tags[tagScheduled]); err == nil {
		s.ScheduledFor = &at
	}
	for tag, into := range map[string]*int64{tagObjects: &s.Objects, tagBytes: &s.Bytes, tagStored: &s.StoredBytes} {
		if n, err := strconv.ParseInt(m.Tags[tag], 10, 64); err == nil && n >= 0 {
			*into = n
		}
	}
	return s
}

// Snapshots lists what the repository holds, the oldest first.
func (r *Repository) Snapshots(ctx context.Context, filter Filter) ([]Snapshot, error) {
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	if err := r.direct.Refresh(ctx); err != nil {
		return nil, r.wrapLost(ctx, err, "cannot read the repository at %s", r.config)
	}
	ids, err := snapshot.ListSnapshotManifests(ctx, r.direct, nil, nil)
	if err != nil {
		return nil, r.wrapLost(ctx, err, "cannot list the snapshots in the repository at %s", r.config)
	}
	var result []Snapshot
	for _, id := range ids {
		loaded, err := snapshot.LoadSnapshot(ctx, r.direct, id)
		if err != nil {
			return nil, r.wrapLost(ctx, err, "cannot read the snapshot %s in the repository at %s", id, r.config)
		}
		if loaded.Source.UserName != userName {
			continue
		}
		if s := toSnapshot(loaded); filter.selects(s) {
			result = append(result, *s)
		}
	}
	slices.SortFunc(result, func(a, b Snapshot) int {
		return cmp.Or(a.EndTime.Compare(b.EndTime), strings.Compare(a.ID, b.ID))
	})
	return result, nil
}

func (f Filter) selects(s *Snapshot) bool {
	return (f.Namespace == "" || f.Namespace == s.Namespace) &&
		(f.Backup == "" || f.Backup == s.Backup) && (f.Run == "" || f.Run == s.Run)
}

// Forget removes snapshots. Those that are not there (any more) are no error. The
// room that they take is freed by Maintain, when it is safe to.
func (r *Repository) Forget(ctx context.Context, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	err := repo.WriteSession(ctx, r.direct, repo.WriteSessionOptions{Purpose: "forget"},
		func(ctx context.Context, session repo.RepositoryWriter) error {
			for _, id := range ids {
				if err := forget(ctx, session, snapshotID(id)); err != nil {
					return err
				}
			}
			return nil
		})
	return r.wrapLost(ctx, err, "cannot forget snapshots in the repository at %s", r.config)
}

func forget(ctx context.Context, session repo.RepositoryWriter, id snapshotID) error {
	loaded, err := snapshot.LoadSnapshot(ctx, session, id)
	switch {
	case isNotFound(err):
		return nil
	case err != nil:
		return err
	case loaded.Source.UserName != userName:
		return fmt.Errorf("the snapshot %s is not fedctl's", id)
	}
	return session.DeleteManifest(ctx, id)
}
