package settings

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// What KubeFed's defaulting adds to a stored KubeFedConfig must not change anything.
func TestDefaultsAreThoseOfKubeFed(t *testing.T) {
	spec := fedcorev1beta1.KubeFedConfigSpec{}
	kubefedconfig.Default(&spec)
	election, members := Defaults[Election](), Defaults[Members]()
	if election.LeaseDuration != spec.LeaderElect.LeaseDuration.Duration || election.RenewDeadline != spec.LeaderElect.RenewDeadline.Duration ||
		election.RetryPeriod != spec.LeaderElect.RetryPeriod.Duration {
		t.Errorf("%+v, want %+v", election, spec.LeaderElect)
	}
	check := spec.ClusterHealthCheck
	if members.HealthCheckPeriod != check.Period.Duration || members.HealthCheckTimeout != check.Timeout.Duration ||
		int64(members.FailureThreshold) != *check.FailureThreshold || int64(members.SuccessThreshold) != *check.SuccessThreshold {
		t.Errorf("%+v, want %+v", members, check)
	}
	if want := *spec.SyncController.AdoptResources == fedcorev1beta1.AdoptResourcesEnabled; Defaults[Propagation]().AdoptResources != want {
		t.Errorf("adopt-resources must be %t", want)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	for _, group := range []Group{&ControlPlane{}, &Election{}, &Process{}, &Members{}, &Types{}, &Propagation{}, &Replicas{}, &Backups{}} {
		group.AddFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
		if err := group.Validate(); err != nil {
			t.Errorf("%T: %v", group, err)
		}
	}
}

func TestProblemsAreNamedAllAtOnce(t *testing.T) {
	s := Defaults[Propagation]()
	s.Workers, s.UnreadyDeletionTimeout, s.VersionRecords = 0, -time.Second, "Nowhere"
	err := s.Validate()
	for _, want := range []string{
		"workers is 0: it must be more than 0", "unready-deletion-timeout is -1s: it must not be negative",
		`version-records is "Nowhere": it must be Status or PropagatedVersion`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
