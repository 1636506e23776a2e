package settings

import (
	"time"

	"github.com/spf13/pflag"
)

// Propagation is how the engine works.
type Propagation struct {
	// AdoptResources says whether objects that exist already are taken over.
	AdoptResources bool
	// ProtectedKeys are prefixes of labels and annotations of objects in members that are
	// never taken over by force from others who have set them.
	ProtectedKeys []string
	// Workers is how many items are in work at a time; WorkersPerCluster how many of
	// one member cluster, and HostWorkers of the host.
	Workers, WorkersPerCluster, HostWorkers int
	// SettleTimeout is how long a status waits for clusters that have not answered
	// before it is written without them.
	SettleTimeout time.Duration
	// RetryMax is the longest time between two tries of what fails.
	RetryMax time.Duration
	// UnreadyDeletionTimeout is how long a deletion waits for a cluster that is not
	// ready; 0 means until it is ready or has been removed.
	UnreadyDeletionTimeout time.Duration
	// LeftoverRetention is how long what a cluster holds when it joins, and no placement
	// selects, is kept; 0 means until it is pruned.
	LeftoverRetention time.Duration
	// VersionRecords says where what was propagated is recorded.
	VersionRecords string
}

// DefaultProtectedKeys are those of Propagation.ProtectedKeys where nobody says otherwise.
var DefaultProtectedKeys = []string{"pod-security.kubernetes.io/"}

// The values of Propagation.VersionRecords.
const (
	RecordInStatus          = "Status"
	RecordPropagatedVersion = "PropagatedVersion"
)

// AddFlags implements Group.
func (s *Propagation) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&s.AdoptResources, "adopt-resources", true, "Take over objects that exist in a member cluster already.")
	flags.StringSliceVar(&s.ProtectedKeys, "protected-keys", DefaultProtectedKeys, "Prefixes of labels and annotations that stay as they are in a member where somebody else has set them, whatever the template says.")
	flags.IntVar(&s.Workers, "workers", 256, "Items in work at a time, over all clusters.")
	flags.IntVar(&s.WorkersPerCluster, "workers-per-cluster", 16, "Items of one member cluster in work at a time.")
	flags.IntVar(&s.HostWorkers, "host-workers", 16, "Items of the host cluster in work at a time.")
	flags.DurationVar(&s.SettleTimeout, "settle-timeout", 5*time.Second, "How long a status waits for clusters that have not answered.")
	flags.DurationVar(&s.RetryMax, "retry-max", 5*time.Minute, "Longest time between two tries of what fails.")
	flags.DurationVar(&s.UnreadyDeletionTimeout, "unready-deletion-timeout", 0, "How long a deletion waits for a member cluster that is not ready; 0 until it is ready or unjoined.")
	flags.DurationVar(&s.LeftoverRetention, "leftover-retention", 7*24*time.Hour, "How long managed objects are kept that a cluster holds when it joins and no placement selects; 0 until fedctl prune.")
	flags.StringVar(&s.VersionRecords, "version-records", RecordInStatus, "Where what was propagated is recorded: Status, or PropagatedVersion to write KubeFed's PropagatedVersions as well.")
}

// Validate implements Group.
func (s *Propagation) Validate() error {
	var p problems
	moreThanZero(&p, "workers", s.Workers)
	moreThanZero(&p, "workers-per-cluster", s.WorkersPerCluster)
	moreThanZero(&p, "host-workers", s.HostWorkers)
	moreThanZero(&p, "settle-timeout", s.SettleTimeout)
	moreThanZero(&p, "retry-max", s.RetryMax)
	notNegative(&p, "unready-deletion-timeout", s.UnreadyDeletionTimeout)
	notNegative(&p, "leftover-retention", s.LeftoverRetention)
	p.oneOf("version-records", s.VersionRecords, RecordInStatus, RecordPropagatedVersion)
	return p.join()
}
