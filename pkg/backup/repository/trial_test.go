package repository_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// readOnly makes a directory one that can only be read: by its mode, or for root, whom
// no mode stops, by a mount.
func readOnly(t *testing.T, directory string) (again func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		chmod := func(mode os.FileMode) {
			err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || !entry.IsDir() {
					return err
				}
				return os.Chmod(path, mode)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		chmod(0o500)
		t.Cleanup(func() { chmod(0o700) })
		return func() { chmod(0o700) }
	}
	if err := syscall.Mount(directory, directory, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("needs to mount: %v", err)
	}
	mounted := true
	unmount := func() {
		if mounted {
			mounted = false
			if err := syscall.Unmount(directory, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(unmount)
	if err := syscall.Mount("", directory, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("needs to mount: %v", err)
	}
	return unmount
}

// TestReadOnlyDirectory: a volume that is mounted read-only can be restored from, and is
// not said to be usable for more.
func TestReadOnlyDirectory(t *testing.T) {
	config := inDir(t)
	r := open(t, config)
	saved := save(t, r, "run-1", 10, nil)
	before := files(t, directory(config))
	if err := r.Try(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := files(t, directory(config)); !maps.Equal(before, after) {
		t.Errorf("the files were %v, and are %v", before, after)
	}

	again := readOnly(t, directory(config))
	first, second := r.Try(t.Context()), open(t, config).Try(t.Context())
	wantReason(t, first, repository.NotWritable)
	if first.Error() != second.Error() {
		t.Errorf("it is said in another way each time: %v, and %v", first, second)
	}
	if err := open(t, config).Verify(t.Context(), saved.ID, true); err != nil {
		t.Error(err)
	}

	again()
	// What somebody has left who was killed right then is in nobody's way.
	if err := os.WriteFile(filepath.Join(directory(config), "fedctl.trial.f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Try(t.Context()); err != nil {
		t.Error(err)
	}
	if after := files(t, directory(config)); !maps.Equal(before, after) {
		t.Errorf("the files were %v, and are %v", before, after)
	}
}

// TestS3ReadOnly: who may only read is told so at once, by a repository that is there and
// by one that is not.
func TestS3ReadOnly(t *testing.T) {
	server, config := onS3(t)
	saved := save(t, open(t, config), "run-1", 10, nil)
	if err := server.SetReadOnly(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	r := open(t, config)
	wantReason(t, r.Try(t.Context()), repository.NotWritable)
	if err := r.Verify(t.Context(), saved.ID, true); err != nil {
		t.Error(err)
	}
	elsewhere := *config.Storage.(*repository.S3)
	elsewhere.Prefix = "clusters/b"
	created := config
	created.Storage = &elsewhere
	_, err := repository.Open(t.Context(), created, owner)
	wantReason(t, err, repository.NotWritable)
	if err := server.SetReadOnly(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := r.Try(t.Context()); err != nil {
		t.Error(err)
	}
}
