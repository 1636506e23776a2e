package repository

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/kopia/kopia/repo/blob"
)

// meanwhile has something happen right after the first look at a blob.
type meanwhile struct {
	backend
	after  blob.ID
	happen func()
}

func (m *meanwhile) get(ctx context.Context, id blob.ID) ([]byte, error) {
	data, err := m.backend.get(ctx, id)
	if happen := m.happen; id == m.after && happen != nil {
		m.happen = nil
		happen()
	}
	return data, err
}

// TestTwoOfOneClusterCreateAtOnce: the look at a new repository and its first run open it
// at the same time, and neither takes the other for another cluster.
func TestTwoOfOneClusterCreateAtOnce(t *testing.T) {
	owner := Owner{ClusterUID: "6f1c7a58"}
	for _, after := range []blob.ID{markID, "kopia.repository"} {
		t.Run("after "+string(after), func(t *testing.T) {
			config := Config{Storage: &Filesystem{Path: filepath.Join(t.TempDir(), "repository")}, Password: "correct horse", CacheDir: t.TempDir()}
			target, err := config.Storage.connect(config.rules())
			if err != nil {
				t.Fatal(err)
			}
			if err := target.makeDirectory(); err != nil {
				t.Fatal(err)
			}
			raced := &meanwhile{backend: target, after: after, happen: func() {
				if err := own(t.Context(), target, config, owner); err != nil {
					t.Errorf("the one that was faster: %v", err)
				}
			}}
			if err := own(t.Context(), raced, config, owner); err != nil {
				t.Errorf("the one that was slower: %v", err)
			}
		})
	}
}
