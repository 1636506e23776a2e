package kubefedconfig

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// Note tells of a field that has no effect here.
type Note struct {
	// Field is its path, such as spec.controllerDuration.cacheSyncTimeout.
	Field string
	// Why it has none, and what to do instead if there is anything.
	Why string
	// Chosen is set when the value is not the one KubeFed's defaulting writes:
	// somebody may count on it.
	Chosen bool
}

// String is the note in one line.
func (n Note) String() string { return n.Field + " has no effect: " + n.Why }

// what makes fields ineffective; the words are for the owner of a KubeFedConfig.
const (
	whyDelay       = "members are used when they are ready, without a delay"
	whySyncTimeout = "nothing waits for the caches of all members"
	whyLock        = "the controllers elect their leader by a Lease"
	whyConcurrency = "items of all types share the workers, see the settings workers, workers-per-cluster and host-workers"
)

// WithoutEffect lists what spec sets, after defaulting or before, that has no
// effect, in the order of the fields.
func WithoutEffect(spec fedcorev1beta1.KubeFedConfigSpec) []Note {
	var defaulted fedcorev1beta1.KubeFedConfigSpec
	Default(&defaulted)
	var notes []Note
	note := func(field, why string, value, byDefault any) {
		if !reflect.ValueOf(value).IsNil() {
			notes = append(notes, Note{Field: field, Why: why, Chosen: !reflect.DeepEqual(value, byDefault)})
		}
	}
	if d := spec.ControllerDuration; d != nil {
		note("spec.controllerDuration.availableDelay", whyDelay, d.AvailableDelay, defaulted.ControllerDuration.AvailableDelay)
		note("spec.controllerDuration.unavailableDelay", whyDelay, d.UnavailableDelay, defaulted.ControllerDuration.UnavailableDelay)
		note("spec.controllerDuration.cacheSyncTimeout", whySyncTimeout, d.CacheSyncTimeout, defaulted.ControllerDuration.CacheSyncTimeout)
	}
	if e := spec.LeaderElect; e != nil && e.ResourceLock != nil && *e.ResourceLock != "leases" {
		note("spec.leaderElect.resourceLock", whyLock, e.ResourceLock, defaulted.LeaderElect.ResourceLock)
	}
	for i, gate := range spec.FeatureGates {
		if _, known := gates[gate.Name]; !known {
			notes = append(notes, Note{Field: fmt.Sprintf("spec.featureGates[%d]", i), Why: unknownGate(gate.Name), Chosen: true})
		}
	}
	if s := spec.SyncController; s != nil {
		note("spec.syncController.maxConcurrentReconciles", whyConcurrency, s.MaxConcurrentReconciles, defaulted.SyncController.MaxConcurrentReconciles)
	}
	if s := spec.StatusController; s != nil {
		note("spec.statusController.maxConcurrentReconciles", whyConcurrency, s.MaxConcurrentReconciles, defaulted.StatusController.MaxConcurrentReconciles)
	}
	return notes
}

// unknownGate names the gates there are; two were KubeFed's until v0.8.
func unknownGate(name string) string {
	known := []string{PushReconciler, RawResourceStatusCollection, SchedulerPreferences}
	if slices.Contains([]string{"CrossClusterServiceDiscovery", "FederatedIngress"}, name) {
		return fmt.Sprintf("KubeFed has removed the gate %s and what it switched; remove it from the list", name)
	}
	return fmt.Sprintf("there is no gate %q; the gates are %s", name, strings.Join(known, ", "))
}

// RestartFor lists the fields with an effect in which after differs from before:
// the controllers read them when they start. Neither needs to be defaulted.
func RestartFor(before, after fedcorev1beta1.KubeFedConfigSpec) []string {
	before, after = *before.DeepCopy(), *after.DeepCopy()
	Default(&before)
	Default(&after)
	var fields []string
	compare := func(field string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			fields = append(fields, field)
		}
	}
	compare("spec.scope", before.Scope, after.Scope)
	compare("spec.leaderElect.leaseDuration", before.LeaderElect.LeaseDuration, after.LeaderElect.LeaseDuration)
	compare("spec.leaderElect.renewDeadline", before.LeaderElect.RenewDeadline, after.LeaderElect.RenewDeadline)
	compare("spec.leaderElect.retryPeriod", before.LeaderElect.RetryPeriod, after.LeaderElect.RetryPeriod)
	for _, name := range []string{PushReconciler, RawResourceStatusCollection, SchedulerPreferences} {
		compare("spec.featureGates "+name, gate(before, name), gate(after, name))
	}
	compare("spec.clusterHealthCheck", before.ClusterHealthCheck, after.ClusterHealthCheck)
	compare("spec.syncController.adoptResources", before.SyncController.AdoptResources, after.SyncController.AdoptResources)
	return fields
}

// gate returns what a gate is set to in a defaulted spec.
func gate(spec fedcorev1beta1.KubeFedConfigSpec, name string) fedcorev1beta1.ConfigurationMode {
	for _, gate := range spec.FeatureGates {
		if gate.Name == name {
			return gate.Configuration
		}
	}
	return ""
}
