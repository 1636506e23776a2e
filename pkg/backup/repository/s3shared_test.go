package repository_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// TestS3PrefixesAlike: clusters whose prefixes begin alike, or are beneath one another,
// see nothing of each other, also when they clean up.
func TestS3PrefixesAlike(t *testing.T) {
	_, config := onS3(t)
	prefixes := []string{"clusters/a", "clusters/ab", "clusters", "clusters/a/b"}
	open := func(prefix string) *repository.Repository {
		t.Helper()
		storage := *config.Storage.(*repository.S3)
		storage.Prefix = prefix
		own := config
		own.Storage = &storage
		r, err := repository.Open(t.Context(), own, repository.Owner{ClusterUID: "uid of " + prefix})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close(context.Background()) })
		return r
	}
	for i, prefix := range prefixes {
		save(t, open(prefix), "run-1", 10+i, nil)
	}
	for i, prefix := range prefixes {
		r := open(prefix)
		found, err := r.Snapshots(t.Context(), repository.Filter{})
		if err != nil || len(found) != 1 || found[0].ClusterUID != "uid of "+prefix || found[0].Objects != int64(10+i) {
			t.Fatalf("%s: %+v, %v", prefix, found, err)
		}
		if lost, err := r.Examine(t.Context()); err != nil || lost != (repository.Damage{}) {
			t.Errorf("%s: %+v, %v", prefix, lost, err)
		}
		if err := r.Maintain(t.Context()); err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
		if err := r.Verify(t.Context(), found[0].ID, true); err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}

// TestS3Lifecycle: a rule of the bucket deletes what is older than some days, without
// knowing what it is. Nothing is begun anew in its place.
func TestS3Lifecycle(t *testing.T) {
	server, config := onS3(t)
	save(t, open(t, config), "run-1", 100, nil)
	aged := time.Now()
	r := open(t, config)
	save(t, r, "run-2", 120, nil)
	err := filepath.WalkDir(server.Directory("backups"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if info, err := entry.Info(); err != nil || info.ModTime().After(aged) {
			return err
		}
		return os.Remove(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Write(t.Context(), source("run-3"), oneObject)
	if err == nil {
		t.Error("a run was written into what is no repository any more")
	}
	config.MustExist = true
	_, err = repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.NotFound)
}

// TestLargeObject: one object as large as an API server takes.
func TestLargeObject(t *testing.T) {
	_, config := onS3(t)
	r := open(t, config)
	large := object("large", 1400<<10, 1)
	written, err := r.Write(t.Context(), source("run-1"), func(ctx context.Context, w *repository.Writer) error {
		file := w.Resource(ctx, configMaps)
		if err := file.Add("team-a/large", large); err != nil {
			return err
		}
		return file.Close("")
	})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := open(t, config).Read(t.Context(), written.ID)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line, err := range reader.Objects(t.Context(), configMaps) {
		if err != nil || len(line) != len(large) {
			t.Errorf("%d bytes of %d, %v", len(line), len(large), err)
		}
		count++
	}
	if count != 1 {
		t.Errorf("%d objects", count)
	}
}
