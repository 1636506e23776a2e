package executor

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// Allowed is what BackupRepositories may use of what is the executor's own. The
// host's executor works for many clusters, and who may write BackupRepositories in
// one of them need not be trusted with the host. Nil allows all.
type Allowed struct {
	// FilesystemRoots are directories that spec.filesystem may name, they and all
	// beneath them.
	FilesystemRoots []string
	// OwnIdentity allows s3 and gcs without a credentialsSecretRef.
	OwnIdentity bool
}

const (
	reasonNotAllowed = "StorageNotAllowed"
	// ofController says whose own it is.
	ofController = "the controller that executes the backups of this cluster"
)

// check returns a problem if a storage needs what is not allowed.
func (a *Allowed) check(own repository.Own) error {
	switch {
	case a == nil:
		return nil
	case own.Directory != "" && !a.beneathRoot(own.Directory):
		may := "may use no directory"
		if len(a.FilesystemRoots) > 0 {
			may = "may use only what is in " + strings.Join(a.FilesystemRoots, ", ")
		}
		return &problem{reasonNotAllowed, fmt.Sprintf("spec.filesystem.path is %s: %s %s (its setting backup-filesystem-roots)", own.Directory, ofController, may)}
	case own.Identity != "" && !a.OwnIdentity:
		return &problem{reasonNotAllowed, fmt.Sprintf("%s is missing: %s uses its own identity only where its setting backup-own-identity is true", own.Identity, ofController)}
	}
	return nil
}

func (a *Allowed) beneathRoot(path string) bool {
	for _, root := range a.FilesystemRoots {
		if inside, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(inside) {
			return true
		}
	}
	return false
}
