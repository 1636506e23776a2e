package config

import (
	"fmt"
	"os"

	"github.com/spf13/viper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// gateSettings are the settings that KubeFed's feature gates switch.
var gateSettings = map[string]string{
	kubefedconfig.PushReconciler:              "push-reconciler",
	kubefedconfig.SchedulerPreferences:        "scheduler-preferences",
	kubefedconfig.RawResourceStatusCollection: "collect-status",
}

// ReadKubeFedConfig reads a KubeFedConfig from a file. Unknown fields are errors.
func ReadKubeFedConfig(path string) (*fedcorev1beta1.KubeFedConfig, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--kubefed-config: %w", err)
	}
	config := &fedcorev1beta1.KubeFedConfig{}
	if err := yaml.UnmarshalStrict(content, config); err != nil {
		return nil, fmt.Errorf("--kubefed-config %s: %w", path, err)
	}
	if config.Kind != "KubeFedConfig" {
		return nil, fmt.Errorf("--kubefed-config %s: kind is %q, not KubeFedConfig", path, config.Kind)
	}
	return config, nil
}

// applyKubeFedConfig makes what a KubeFedConfig sets, and what KubeFed's
// defaulting adds, the defaults of v: the stored object is defaulted sooner or
// later, and that must not change anything. kubefedconfig.WithoutEffect tells
// which fields have no equivalent.
func applyKubeFedConfig(v *viper.Viper, config *fedcorev1beta1.KubeFedConfig) error {
	spec := config.Spec.DeepCopy()
	kubefedconfig.Default(spec)
	if spec.Scope != "" {
		v.SetDefault("scope", string(spec.Scope))
	}
	setDuration := func(key string, d *metav1.Duration) {
		if d != nil {
			v.SetDefault(key, d.Duration)
		}
	}
	if election := spec.LeaderElect; election != nil {
		setDuration("leader-elect-lease-duration", election.LeaseDuration)
		setDuration("leader-elect-renew-deadline", election.RenewDeadline)
		setDuration("leader-elect-retry-period", election.RetryPeriod)
	}
	if check := spec.ClusterHealthCheck; check != nil {
		setDuration("cluster-health-check-period", check.Period)
		setDuration("cluster-health-check-timeout", check.Timeout)
		if check.FailureThreshold != nil {
			v.SetDefault("cluster-health-check-failure-threshold", *check.FailureThreshold)
		}
		if check.SuccessThreshold != nil {
			v.SetDefault("cluster-health-check-success-threshold", *check.SuccessThreshold)
		}
	}
	if sync := spec.SyncController; sync != nil && sync.AdoptResources != nil {
		switch *sync.AdoptResources {
		case fedcorev1beta1.AdoptResourcesEnabled, fedcorev1beta1.AdoptResourcesDisabled:
			v.SetDefault("adopt-resources", *sync.AdoptResources == fedcorev1beta1.AdoptResourcesEnabled)
		default:
			return fmt.Errorf("KubeFedConfig %s: spec.syncController.adoptResources is %q: it must be Enabled or Disabled", config.Name, *sync.AdoptResources)
		}
	}
	for _, gate := range spec.FeatureGates {
		if setting, known := gateSettings[gate.Name]; known {
			v.SetDefault(setting, gate.Configuration == fedcorev1beta1.ConfigurationEnabled)
		}
	}
	return nil
}
