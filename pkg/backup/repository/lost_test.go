package repository_test

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// packsIn are the files of a repository's packs of objects, the largest first.
func packsIn(t *testing.T, config repository.Config) []string {
	t.Helper()
	var found []string
	sizes := files(t, directory(config))
	for name := range sizes {
		if relative, err := filepath.Rel(directory(config), name); err == nil && relative[0] == 'p' {
			found = append(found, name)
		} else if name[0] == 'p' {
			found = append(found, filepath.Join(directory(config), name))
		}
	}
	sort.Slice(found, func(i, j int) bool { return size(t, found[i]) > size(t, found[j]) })
	return found
}

func size(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestLostPacksAreWrittenAnew: a run after the loss is good, and so are those before it
// whose data is still there to be saved; what is not is named.
func TestLostPacksAreWrittenAnew(t *testing.T) {
	for name, lose := range map[string]func(pack string) error{
		"gone":    os.Remove,
		"cut off": func(pack string) error { return os.Truncate(pack, 1000) },
	} {
		t.Run(name, func(t *testing.T) {
			config := inDir(t)
			first := save(t, open(t, config), "run-1", 600, func(i int) bool { return i < 100 })
			second := save(t, open(t, config), "run-2", 600, nil)
			packs := packsIn(t, config)
			if len(packs) < 2 {
				t.Fatalf("packs: %v", packs)
			}
			for _, pack := range packs {
				if err := lose(pack); err != nil {
					t.Fatal(err)
				}
			}
			r := open(t, config)
			if lost, err := r.Examine(t.Context()); err != nil || lost.Packs < len(packs) {
				t.Fatalf("lost: %+v, %v", lost, err)
			}
			third := save(t, r, "run-3", 600, nil)
			again := open(t, config)
			for id, good := range map[string]bool{first.ID: false, second.ID: true, third.ID: true} {
				err := again.Verify(t.Context(), id, true)
				if good && err != nil {
					t.Error(err)
				}
				if !good {
					wantReason(t, err, repository.Corrupt)
				}
			}
			damaged, err := again.VerifyAll(t.Context(), []string{first.ID, second.ID, third.ID, "gone"})
			if err != nil || len(damaged) != 2 || damaged[first.ID] == nil || damaged["gone"] == nil {
				t.Errorf("damaged: %v, %v", damaged, err)
			}
			if err := again.Maintain(t.Context()); err != nil {
				t.Log("maintenance: ", err)
			}
			fourth := save(t, open(t, config), "run-4", 600, nil)
			if fourth.StoredBytes*4 > third.StoredBytes {
				t.Errorf("%d bytes were stored, after %d: what was healed was written again", fourth.StoredBytes, third.StoredBytes)
			}
		})
	}
}

// TestEverythingIsReadInTime: shares of the data are read, each piece once in a period,
// whatever the distance of the times; what cannot be read any more is found, and then
// written anew.
func TestEverythingIsReadInTime(t *testing.T) {
	config := inDir(t)
	saved := save(t, open(t, config), "run-1", 600, nil)
	r := open(t, config)
	at := time.Date(2026, 3, 1, 2, 30, 0, 0, time.UTC)
	const within = 30 * 24 * time.Hour
	all, _, err := r.ReadShare(t.Context(), time.Time{}, at, within)
	if err != nil || all < 400<<10 {
		t.Fatalf("all is %d bytes, %v", all, err)
	}
	var sum int64
	for day := range 30 {
		after := at.AddDate(0, 0, day)
		read, _, err := r.ReadShare(t.Context(), after, after.Add(24*time.Hour), within)
		if err != nil || read > all/3 {
			t.Errorf("day %d: %d of %d bytes, %v", day, read, all, err)
		}
		sum += read
	}
	if sum != all {
		t.Errorf("%d bytes were read in a period, of %d", sum, all)
	}

	pack := packsIn(t, config)[0]
	data, err := os.ReadFile(pack)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(pack, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r = open(t, config)
	_, lost, err := r.ReadShare(t.Context(), time.Time{}, at, within)
	if err != nil || lost.Contents != 1 {
		t.Fatalf("lost: %+v, %v", lost, err)
	}
	wantReason(t, r.Verify(t.Context(), saved.ID, true), repository.Corrupt)
	r = open(t, config)
	if lost, err := r.Examine(t.Context(), saved.ID); err != nil || lost.Contents != 1 {
		t.Fatalf("lost: %+v, %v", lost, err)
	}
	save(t, r, "run-2", 600, nil)
	if err := open(t, config).Verify(t.Context(), saved.ID, true); err != nil {
		t.Error(err)
	}
}

// lose removes the blobs of a repository whose names begin so.
func lose(t *testing.T, config repository.Config, prefix string) {
	t.Helper()
	removed := 0
	for name := range files(t, directory(config)) {
		if relative, err := filepath.Rel(directory(config), name); err == nil && filepath.IsAbs(name) {
			name = relative
		}
		if strings.HasPrefix(name, prefix) {
			removed++
			if err := os.Remove(filepath.Join(directory(config), name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if removed == 0 {
		t.Fatalf("there is no blob %s", prefix)
	}
}

// TestLostIndex: what is in packs is found again without the index, as what it was.
func TestLostIndex(t *testing.T) {
	config := inDir(t)
	first := save(t, open(t, config), "run-1", 100, nil)
	lose(t, config, "x")
	r := open(t, config)
	if lost, err := r.Mend(t.Context(), []string{first.ID}); err != nil || !lost {
		t.Fatalf("lost: %t, %v", lost, err)
	}
	second := save(t, r, "run-2", 100, nil)
	again := open(t, config)
	for _, id := range []string{first.ID, second.ID} {
		if err := again.Verify(t.Context(), id, true); err != nil {
			t.Error(err)
		}
	}
	if lost, err := again.Mend(t.Context(), []string{first.ID, second.ID}); err != nil || lost {
		t.Errorf("mended twice: %t, %v", lost, err)
	}
}

// TestLostEntries: without the packs that hold the entries of snapshots nothing can be
// read or written, until they are given up. What they led to is named.
func TestLostEntries(t *testing.T) {
	config := inDir(t)
	first := save(t, open(t, config), "run-1", 100, nil)
	lose(t, config, "q")
	r := open(t, config)
	if lost, err := r.Examine(t.Context()); err != nil || lost.Packs == 0 {
		t.Fatalf("lost: %+v, %v", lost, err)
	}
	if lost, err := r.Mend(t.Context(), []string{first.ID}); err != nil || !lost {
		t.Fatalf("lost: %t, %v", lost, err)
	}
	second := save(t, r, "run-2", 100, nil)
	again := open(t, config)
	damaged, err := again.VerifyAll(t.Context(), []string{first.ID, second.ID})
	if err != nil || damaged[first.ID] == nil || damaged[second.ID] != nil {
		t.Errorf("damaged: %v, %v", damaged, err)
	}
	if err := again.Verify(t.Context(), second.ID, true); err != nil {
		t.Error(err)
	}
}
