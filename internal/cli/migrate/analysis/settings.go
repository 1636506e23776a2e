package analysis

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const noEffect = "no effect: "

// limited says whether only the control plane's namespace is federated.
func (a *analyzer) limited() bool {
	return a.in.Config != nil && a.in.Config.Spec.Scope == "Namespaced"
}

// config tells of each field that is set what becomes of it.
func (a *analyzer) config() {
	if a.in.Config == nil {
		a.report.KubeFed.Scope = "Cluster"
		a.find(Finding{Level: Warning, Code: "no-config", Message: "there is no KubeFedConfig kubefed in namespace " + a.in.Namespace + ": defaults apply",
			Do: "look at --kubefed-namespace and --host-cluster-context, if there should be one"})
		return
	}
	spec := &a.in.Config.Spec
	a.report.KubeFed.Scope = string(spec.Scope)
	if a.in.ConfigError != "" {
		a.find(Finding{Level: Blocks, Code: "config-invalid", Subject: "kubefedconfig " + a.in.Config.Name, Message: "fedctl's controller does not start with it: " + a.in.ConfigError,
			Do: "mend it: kubectl -n " + a.in.Namespace + " edit kubefedconfig " + a.in.Config.Name})
	}
	set := func(field, value, effect string) {
		a.report.Settings = append(a.report.Settings, Setting{Field: "spec." + field, Value: value, Effect: effect})
	}
	duration := func(field string, d *metav1.Duration, effect string) {
		if d != nil {
			set(field, d.Duration.String(), effect)
		}
	}
	number := func(field string, n *int64, effect string) {
		if n != nil {
			set(field, fmt.Sprint(*n), effect)
		}
	}
	set("scope", string(spec.Scope), "as in KubeFed")
	if d := spec.ControllerDuration; d != nil {
		duration("controllerDuration.availableDelay", d.AvailableDelay, noEffect+"changes are carried out at once")
		duration("controllerDuration.unavailableDelay", d.UnavailableDelay, noEffect+"failed work is tried again ever more slowly, up to --retry-max")
		duration("controllerDuration.cacheSyncTimeout", d.CacheSyncTimeout, noEffect+"nothing waits for all caches")
	}
	if e := spec.LeaderElect; e != nil {
		duration("leaderElect.leaseDuration", e.LeaseDuration, "as in KubeFed")
		duration("leaderElect.renewDeadline", e.RenewDeadline, "as in KubeFed")
		duration("leaderElect.retryPeriod", e.RetryPeriod, "as in KubeFed")
		if e.ResourceLock != nil {
			set("leaderElect.resourceLock", string(*e.ResourceLock), noEffect+"the lock is a Lease")
		}
	}
	if h := spec.ClusterHealthCheck; h != nil {
		duration("clusterHealthCheck.period", h.Period, "as in KubeFed")
		duration("clusterHealthCheck.timeout", h.Timeout, "as in KubeFed")
		number("clusterHealthCheck.failureThreshold", h.FailureThreshold, "as in KubeFed")
		number("clusterHealthCheck.successThreshold", h.SuccessThreshold, "as in KubeFed")
	}
	if s := spec.SyncController; s != nil {
		number("syncController.maxConcurrentReconciles", s.MaxConcurrentReconciles, noEffect+"--workers and --workers-per-cluster say how much is done at a time")
		if s.AdoptResources != nil {
			set("syncController.adoptResources", string(*s.AdoptResources), "as in KubeFed")
		}
	}
	if s := spec.StatusController; s != nil {
		number("statusController.maxConcurrentReconciles", s.MaxConcurrentReconciles, noEffect+"--workers and --workers-per-cluster say how much is done at a time")
	}
	for _, gate := range spec.FeatureGates {
		set("featureGates["+gate.Name+"]", string(gate.Configuration), gateEffect(gate.Name))
	}
}

func gateEffect(name string) string {
	switch name {
	case "RawResourceStatusCollection":
		return "as in KubeFed, but collection is on where the gate is not named"
	case "PushReconciler":
		return noEffect + "propagation is switched for each type, by its FederatedTypeConfig"
	case "SchedulerPreferences":
		return "see docs/kubefed.md"
	}
	return noEffect + "fedctl knows no such gate"
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
			a.find(Finding{Level: Note, Code: "version-records", Subject: plural,
				Message: fmt.Sprintf("there are %d of KubeFed's version records; fedctl keeps its own in the status of federated objects", n),
				Do:      "leave them for the way back to KubeFed, or delete them after the move"})
		case plural == "federatedservicestatuses":
			a.find(Finding{Level: Note, Code: "status-objects", Subject: plural,
				Message: fmt.Sprintf("there are %d of them; fedctl does not write them, but collects into status.clusters[].remoteStatus of the federated object", n),
				Do:      "read the status there; delete them after the move"})
		}
	}
}
