package settings

import (
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/pkg/backup/network"
)

// Backups is how backups are executed.
type Backups struct {
	// Enabled off means that the host's controller executes none.
	Enabled bool
	// Jobs is how many runs, restores and verifications go on at a time over all
	// clusters; ClusterJobs how many of one cluster.
	Jobs, ClusterJobs int
	// Poll is how long something waits at most before it is looked at again, where
	// nothing tells that it has changed.
	Poll time.Duration
	// CacheDir is for temporary files of repositories; empty means the system's.
	CacheDir string
	// FilesystemRoots and OwnIdentity are what BackupRepositories of members may use of
	// the host's controller.
	FilesystemRoots []string
	OwnIdentity     bool
	// StorageAddresses are addresses, and ranges of them, that storage may have although
	// they are this machine, link-local, or a cloud's metadata service.
	StorageAddresses []string
	// TokenURIs are where keys of Google's service accounts may say that tokens come
	// from, beside Google.
	TokenURIs []string
}

// Network is where the storage of repositories may be.
func (s *Backups) Network() (network.Rules, error) {
	rules, err := network.Parse(s.StorageAddresses)
	rules.TokenURIs = s.TokenURIs
	return rules, err
}

// AddFlags implements Group.
func (s *Backups) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&s.Enabled, "backups", true, "Execute the Backups of the members that know them, unless an executor inside a member does.")
	flags.IntVar(&s.Jobs, "backup-jobs", 16, "Runs, restores and verifications of backups in work at a time, over all clusters.")
	flags.IntVar(&s.ClusterJobs, "backup-jobs-per-cluster", 2, "Runs, restores and verifications of one cluster in work at a time.")
	flags.DurationVar(&s.Poll, "backup-poll", 5*time.Second, "How long a run that has to wait waits at most before it is looked at again.")
	flags.StringVar(&s.CacheDir, "backup-cache-dir", "", "Directory for temporary files of backup repositories; the system's by default.")
	flags.StringSliceVar(&s.FilesystemRoots, "backup-filesystem-roots", nil, "Directories of this controller that BackupRepositories of members may name in spec.filesystem, they and all beneath them; none by default. With --mode=member, any may be named.")
	flags.StringSliceVar(&s.StorageAddresses, "backup-storage-addresses", nil, "Addresses, or ranges of them such as 127.0.0.0/8, that the storage of BackupRepositories may have although they are this machine, link-local, a cloud's metadata service, or the API server of the controller's own cluster.")
	flags.StringSliceVar(&s.TokenURIs, "backup-token-uris", nil, "Where keys of Google service accounts in the Secrets of BackupRepositories may say that tokens come from, beside Google.")
	flags.BoolVar(&s.OwnIdentity, "backup-own-identity", false, "Let BackupRepositories of members without credentials use this controller's own cloud identity. With --mode=member, they always may.")
}

// Validate implements Group.
func (s *Backups) Validate() error {
	var p problems
	moreThanZero(&p, "backup-jobs", s.Jobs)
	moreThanZero(&p, "backup-jobs-per-cluster", s.ClusterJobs)
	moreThanZero(&p, "backup-poll", s.Poll)
	for _, root := range s.FilesystemRoots {
		p.unless(filepath.IsAbs(root), "backup-filesystem-roots has %q: it must be an absolute path", root)
	}
	_, err := s.Network()
	p.unless(err == nil, "backup-storage-addresses: %s", err)
	return p.join()
}
