package settings

import (
	"time"

	"github.com/spf13/pflag"
)

// Replicas is how ReplicaSchedulingPreferences are served.
type Replicas struct {
	// SchedulerPreferences off means that they are not.
	SchedulerPreferences bool
	// UnschedulableAfter is how long a pod may have no node before its replica counts
	// as one that the cluster has no room for.
	UnschedulableAfter time.Duration
}

// AddFlags implements Group.
func (s *Replicas) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&s.SchedulerPreferences, "scheduler-preferences", true, "Serve ReplicaSchedulingPreferences (feature gate SchedulerPreferences).")
	flags.DurationVar(&s.UnschedulableAfter, "unschedulable-after", time.Minute, "How long a pod may have no node before ReplicaSchedulingPreferences take its cluster for full.")
}

// Validate implements Group.
func (s *Replicas) Validate() error {
	var p problems
	moreThanZero(&p, "unschedulable-after", s.UnschedulableAfter)
	return p.join()
}
