package settings

import "github.com/spf13/pflag"

// Types is which federated types run at all.
type Types struct {
	// PushReconciler off means that none does.
	PushReconciler bool
	// CollectStatus is whether status is collected at all; a FederatedTypeConfig
	// only says whether its type takes part.
	CollectStatus bool
}

// AddFlags implements Group.
func (s *Types) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&s.PushReconciler, "push-reconciler", true, "Propagate federated objects to the members (feature gate PushReconciler).")
	flags.BoolVar(&s.CollectStatus, "collect-status", false, "Collect the status of the members' objects for types that ask for it (feature gate RawResourceStatusCollection).")
}

// Validate implements Group.
func (s *Types) Validate() error { return nil }
