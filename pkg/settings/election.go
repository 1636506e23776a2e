package settings

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Election is of the one that works among several: of the controllers in the host,
// and of the executors of one cluster's backups, which always elect.
type Election struct {
	LeaderElect   bool
	LeaseDuration time.Duration
	RenewDeadline time.Duration
	RetryPeriod   time.Duration
}

// AddFlags implements Group.
func (s *Election) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&s.LeaderElect, "leader-elect", true, "Elect a leader among several controllers, by a Lease in the KubeFed namespace.")
	flags.DurationVar(&s.LeaseDuration, "leader-elect-lease-duration", kubefedconfig.LeaseDuration, "How long a leader that has stopped renewing its Lease is waited for.")
	flags.DurationVar(&s.RenewDeadline, "leader-elect-renew-deadline", kubefedconfig.RenewDeadline, "How long the leader tries to renew its Lease before it gives up.")
	flags.DurationVar(&s.RetryPeriod, "leader-elect-retry-period", kubefedconfig.RetryPeriod, "Time between tries to get or renew the Lease.")
}

// Validate implements Group.
func (s *Election) Validate() error {
	var p problems
	p.unless(s.RenewDeadline < s.LeaseDuration, "leader-elect-renew-deadline (%s) must be less than leader-elect-lease-duration (%s)", s.RenewDeadline, s.LeaseDuration)
	p.unless(s.RetryPeriod > 0 && s.RetryPeriod < s.RenewDeadline, "leader-elect-retry-period (%s) must be more than 0 and less than leader-elect-renew-deadline (%s)", s.RetryPeriod, s.RenewDeadline)
	return p.join()
}
