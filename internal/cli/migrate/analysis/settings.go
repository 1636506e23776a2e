package analysis

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"

	"github.com/fedctl/fedctl/internal/finding"
)

// limited says whether only the control plane's namespace may be federated.
func (a *analyzer) limited() bool {
	return a.in.ConfigUnread || a.in.Config != nil && a.in.Config.Spec.Scope == "Namespaced"
}

// config tells of each field that is set what becomes of it.
func (a *analyzer) config() {
	if a.in.ConfigUnread { // which is told of as unreadable
		a.report.KubeFed.Scope = "unknown"
		return
	}
	if a.in.Config == nil {
		a.report.KubeFed.Scope = "Cluster"
		a.find(finding.Finding{Level: finding.Warning, Code: "no-config", Message: "there is no KubeFedConfig kubefed in namespace " + a.in.Namespace + ": defaults apply",
			Do: "look at --kubefed-namespace and --host-cluster-context, if there should be one"})
		return
	}
	spec := &a.in.Config.Spec
	a.report.KubeFed.Scope = string(spec.Scope)
	if a.in.ConfigError != "" {
		a.find(finding.Finding{Level: finding.Blocks, Code: "config-invalid", Subject: "kubefedconfig " + a.in.Config.Name, Message: "fedctl's controller does not start with it: " + a.in.ConfigError,
			Do: "mend it: kubectl -n " + a.in.Namespace + " edit kubefedconfig " + a.in.Config.Name})
	}
	effects := map[string]string{}
	for _, note := range kubefedconfig.WithoutEffect(*spec) {
		effects[note.Field] = "no effect: " + note.Why
	}
	set := func(field, value string) {
		effect, without := effects["spec."+field]
		if !without {
			effect = "as in KubeFed"
		}
		a.report.Settings = append(a.report.Settings, Setting{Field: "spec." + field, Value: value, Effect: effect})
	}
	set("scope", string(spec.Scope))
	setAll(spec, set)
	for i, gate := range spec.FeatureGates {
		field := fmt.Sprintf("featureGates[%d]", i)
		set(field, gate.Name+"="+string(gate.Configuration))
	}
}

// setAll calls set for the fields that are set, but for the scope and the gates.
func setAll(spec *fedcorev1beta1.KubeFedConfigSpec, set func(field, value string)) {
	duration := func(field string, d *metav1.Duration) {
		if d != nil {
			set(field, d.Duration.String())
		}
	}
	number := func(field string, n *int64) {
		if n != nil {
			set(field, fmt.Sprint(*n))
		}
	}
	if d := spec.ControllerDuration; d != nil {
		duration("controllerDuration.availableDelay", d.AvailableDelay)
		duration("controllerDuration.unavailableDelay", d.UnavailableDelay)
		duration("controllerDuration.cacheSyncTimeout", d.CacheSyncTimeout)
	}
	if e := spec.LeaderElect; e != nil {
		duration("leaderElect.leaseDuration", e.LeaseDuration)
		duration("leaderElect.renewDeadline", e.RenewDeadline)
		duration("leaderElect.retryPeriod", e.RetryPeriod)
		if e.ResourceLock != nil {
			set("leaderElect.resourceLock", string(*e.ResourceLock))
		}
	}
	if h := spec.ClusterHealthCheck; h != nil {
		duration("clusterHealthCheck.period", h.Period)
		duration("clusterHealthCheck.timeout", h.Timeout)
		number("clusterHealthCheck.failureThreshold", h.FailureThreshold)
		number("clusterHealthCheck.successThreshold", h.SuccessThreshold)
	}
	if s := spec.SyncController; s != nil {
		number("syncController.maxConcurrentReconciles", s.MaxConcurrentReconciles)
		if s.AdoptResources != nil {
			set("syncController.adoptResources", string(*s.AdoptResources))
		}
	}
	if s := spec.StatusController; s != nil {
		number("statusController.maxConcurrentReconciles", s.MaxConcurrentReconciles)
	}
}

// counts tells of objects that are taken over, or are not written any more.
func (a *analyzer) counts() {
	for plural, n := range a.in.Counts {
		if n == 0 {
			continue
		}
		if a.report.Counts == nil {
			a.report.Counts = map[string]int{}
		}
		a.report.Counts[plural] = n
		switch {
		case strings.HasSuffix(plural, "propagatedversions"):
			a.find(finding.Finding{Level: finding.Note, Code: "version-records", Subject: plural,
				Message: fmt.Sprintf("there are %d of KubeFed's version records; fedctl keeps its own in the status of federated objects, and writes these only with --version-records=PropagatedVersion", n),
				Do:      "leave them for the way back to KubeFed, or delete them after the move"})
		case plural == "federatedservicestatuses":
			a.find(finding.Finding{Level: finding.Note, Code: "status-objects", Subject: plural,
				Message: fmt.Sprintf("there are %d of them; fedctl goes on writing those of types with spec.statusType and spec.statusCollection: Enabled", n),
				Do:      "nothing; status.clusters[].remoteStatus of the federated objects says the same"})
		}
	}
}
