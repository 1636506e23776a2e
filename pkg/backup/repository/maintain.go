package repository

import (
	"context"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/maintenance"
	"github.com/kopia/kopia/snapshot/snapshotmaintenance"
)

// Maintain does what is due of kopia's maintenance: it merges indexes (every hour at
// most) and frees what no snapshot needs (once a day at most, and only what has been
// unused for a day, so that a run that goes on is not disturbed). It is cheap when
// nothing is due; call it after runs.
func (r *Repository) Maintain(ctx context.Context) error {
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	err := repo.DirectWriteSession(ctx, r.direct, repo.WriteSessionOptions{Purpose: "maintenance"},
		func(ctx context.Context, session repo.DirectRepositoryWriter) error {
			if err := r.takeMaintenance(ctx, session); err != nil {
				return err
			}
			return snapshotmaintenance.Run(ctx, session, maintenance.ModeAuto, false, maintenance.SafetyFull)
		})
	return r.wrapLost(ctx, err, "cannot maintain the repository at %s", r.config)
}

// takeMaintenance makes the cluster the one who does maintenance, as kopia wants one.
func (r *Repository) takeMaintenance(ctx context.Context, session repo.DirectRepositoryWriter) error {
	owned, err := maintenance.IsOwnedByThisUser(ctx, session)
	if err != nil || owned {
		return err
	}
	params, err := maintenance.GetParams(ctx, session)
	if err != nil {
		return err
	}
	params.Owner = session.ClientOptions().UsernameAtHost()
	return maintenance.SetParams(ctx, session, params)
}

// Usage is what a repository takes in its storage.
type Usage struct {
	// Bytes of all blobs, Blobs their number.
	Bytes, Blobs int64
}

// Usage lists the storage; it takes a request for each thousand blobs.
func (r *Repository) Usage(ctx context.Context) (Usage, error) {
	var usage Usage
	err := r.storage.ListBlobs(ctx, "", func(metadata blob.Metadata) error {
		usage.Blobs++
		usage.Bytes += metadata.Length
		return nil
	})
	return usage, r.wrapLost(ctx, err, "cannot list the repository at %s", r.config)
}
