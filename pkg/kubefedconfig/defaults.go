package kubefedconfig

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// The feature gates of KubeFed v0.10.
const (
	PushReconciler              = "PushReconciler"
	RawResourceStatusCollection = "RawResourceStatusCollection"
	SchedulerPreferences        = "SchedulerPreferences"
)

// What KubeFed gives a KubeFedConfig that leaves these out. The controller's settings
// have the same defaults, so that it makes no difference when that happens.
const (
	LeaseDuration = 15 * time.Second
	RenewDeadline = 10 * time.Second
	RetryPeriod   = 5 * time.Second

	HealthCheckPeriod  = 10 * time.Second
	HealthCheckTimeout = 3 * time.Second
	FailureThreshold   = 3
	SuccessThreshold   = 1
)

// gates are KubeFed's feature gates with what they are when nobody says.
var gates = map[string]fedcorev1beta1.ConfigurationMode{
	PushReconciler:              fedcorev1beta1.ConfigurationEnabled,
	RawResourceStatusCollection: fedcorev1beta1.ConfigurationDisabled,
	SchedulerPreferences:        fedcorev1beta1.ConfigurationEnabled,
}

// Default fills in what spec leaves out, exactly as KubeFed does in the stored
// object: other clients read the values there. Gates that are missing are added
// and all are sorted by name, those that nobody knows included. What is there is
// kept, sensible or not.
func Default(spec *fedcorev1beta1.KubeFedConfigSpec) {
	duration := fill(&spec.ControllerDuration, fedcorev1beta1.DurationConfig{})
	fill(&duration.AvailableDelay, seconds(20))
	fill(&duration.UnavailableDelay, seconds(60))
	fill(&duration.CacheSyncTimeout, seconds(5*60))

	election := fill(&spec.LeaderElect, fedcorev1beta1.LeaderElectConfig{})
	fill(&election.ResourceLock, fedcorev1beta1.ConfigMapsResourceLock)
	fill(&election.LeaseDuration, metav1.Duration{Duration: LeaseDuration})
	fill(&election.RenewDeadline, metav1.Duration{Duration: RenewDeadline})
	fill(&election.RetryPeriod, metav1.Duration{Duration: RetryPeriod})

	spec.FeatureGates = defaultGates(spec.FeatureGates)

	check := fill(&spec.ClusterHealthCheck, fedcorev1beta1.ClusterHealthCheckConfig{})
	fill(&check.Period, metav1.Duration{Duration: HealthCheckPeriod})
	fill(&check.Timeout, metav1.Duration{Duration: HealthCheckTimeout})
	fill(&check.FailureThreshold, FailureThreshold)
	fill(&check.SuccessThreshold, SuccessThreshold)

	syncController := fill(&spec.SyncController, fedcorev1beta1.SyncControllerConfig{})
	fill(&syncController.MaxConcurrentReconciles, 1)
	fill(&syncController.AdoptResources, fedcorev1beta1.AdoptResourcesEnabled)

	statusController := fill(&spec.StatusController, fedcorev1beta1.StatusControllerConfig{})
	fill(&statusController.MaxConcurrentReconciles, 1)
}

// fill lets target point to value if it points to nothing, and returns it.
func fill[T any](target **T, value T) *T {
	if *target == nil {
		*target = &value
	}
	return *target
}

func seconds(n int) metav1.Duration {
	return metav1.Duration{Duration: time.Duration(n) * time.Second}
}

func defaultGates(given []fedcorev1beta1.FeatureGatesConfig) []fedcorev1beta1.FeatureGatesConfig {
	all := slices.Clone(given)
	for name, configuration := range gates {
		if !slices.ContainsFunc(given, func(gate fedcorev1beta1.FeatureGatesConfig) bool { return gate.Name == name }) {
			all = append(all, fedcorev1beta1.FeatureGatesConfig{Name: name, Configuration: configuration})
		}
	}
	slices.SortStableFunc(all, func(a, b fedcorev1beta1.FeatureGatesConfig) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
