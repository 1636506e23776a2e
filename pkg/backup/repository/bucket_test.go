package repository_test

import (
	"context"
	"testing"
	"time"

	"github.com/fedctl/fedctl/internal/localstorage"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// stopAfter ends a server with the test.
func stopAfter(t *testing.T, server *localstorage.Process) {
	t.Helper()
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// bucketIsUsed is what must work with each kind of bucket, which is empty before.
func bucketIsUsed(t *testing.T, r *repository.Repository, config repository.Config) {
	t.Helper()
	first := save(t, r, "run-1", 500, nil)
	second := save(t, r, "run-2", 500, func(i int) bool { return i == 7 })
	if second.StoredBytes*10 > first.StoredBytes {
		t.Errorf("the second run wrote %d bytes after %d", second.StoredBytes, first.StoredBytes)
	}
	reading, err := repository.OpenReadOnly(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reading.Close(context.Background()) }()
	if err := reading.Verify(t.Context(), second.ID, true); err != nil {
		t.Error(err)
	}
	if err := r.Forget(t.Context(), first.ID); err != nil {
		t.Error(err)
	}
	if err := r.Maintain(t.Context()); err != nil {
		t.Error(err)
	}
	config.MustExist = true
	_, err = repository.Open(t.Context(), config, other)
	wantReason(t, err, repository.ForeignOwner)
}

// bucketIsGone is what must be said when the bucket was removed.
func bucketIsGone(t *testing.T, r *repository.Repository, config repository.Config) {
	t.Helper()
	_, err := repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.BucketMissing)
	_, err = r.Write(t.Context(), source("run-3"), oneObject)
	wantReason(t, err, repository.BucketMissing)
}

// serverIsDown is what must be said when nobody answers.
func serverIsDown(t *testing.T, server *localstorage.Process, config repository.Config) {
	t.Helper()
	config.Timeout = 2 * time.Second
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	_, err := repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.Unreachable)
}
