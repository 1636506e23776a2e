package executor

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

var (
	labels = []string{"cluster", "namespace", "backup"}

	lastSuccess = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fedctl_backup_last_success_timestamp_seconds", Help: "When the last good run of a Backup ended, in seconds since 1970.",
	}, labels)
	objectiveSeconds = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fedctl_backup_objective_seconds", Help: "How old the last good run of a Backup may be; no series without an objective.",
	}, labels)
	objectiveFrom = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fedctl_backup_objective_from_timestamp_seconds", Help: "From when the objective of a Backup counts: when its last good run ended or, if it has none, when it was created; no series without an objective.",
	}, labels)
	lastDuration = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fedctl_backup_last_run_duration_seconds", Help: "How long the last run of a Backup took.",
	}, labels)
	lastBytes = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fedctl_backup_last_run_bytes", Help: "Size of the objects that the last run of a Backup saved.",
	}, labels)
	lastStoredBytes = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fedctl_backup_last_run_stored_bytes", Help: "What the last run of a Backup added to the repository.",
	}, labels)
	failures = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fedctl_backup_failures_total", Help: "Attempts of a Backup's runs that failed or saved only a part.",
	}, labels)
	leading = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fedctl_backup_executor_leading", Help: "1 where this process executes the backups of a cluster.",
	}, []string{"cluster"})
	blocked = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "fedctl_backup_executor_blocked", Help: "1 where this process cannot execute the backups of a cluster, by the reason; no series where it can.",
	}, []string{"cluster", "reason"})
)

func init() {
	metrics.Registry.MustRegister(lastSuccess, objectiveSeconds, objectiveFrom, lastDuration, lastBytes, lastStoredBytes, failures, leading, blocked)
}

func recordLeading(cluster string, leads bool) {
	value := 0.0
	if leads {
		value = 1
	}
	leading.WithLabelValues(cluster).Set(value)
}

func recordBlocked(cluster string, why *Blocked) {
	blocked.DeletePartialMatch(prometheus.Labels{"cluster": cluster})
	if why != nil {
		blocked.WithLabelValues(cluster, why.Reason).Set(1)
	}
}

// recordBackup tells what is known of a Backup from its status.
func recordBackup(cluster string, b *v1alpha1.Backup) {
	values := []string{cluster, b.Namespace, b.Name}
	if success := b.Status.LastSuccess; success != nil && success.Time != nil {
		lastSuccess.WithLabelValues(values...).Set(float64(success.Time.Unix()))
	} else {
		lastSuccess.DeleteLabelValues(values...) // what was good may be lost
	}
	if b.Spec.Objective != nil {
		objectiveSeconds.WithLabelValues(values...).Set(b.Spec.Objective.MaxAge.Seconds())
		objectiveFrom.WithLabelValues(values...).Set(float64(countsFrom(b, b.Status.LastSuccess).Unix()))
	} else {
		objectiveSeconds.DeleteLabelValues(values...)
		objectiveFrom.DeleteLabelValues(values...)
	}
	failures.WithLabelValues(values...).Add(0) // so that the first failure is a change
}

// recordLastRun tells of the last run that saved something, also when another
// executor has carried it out: there are no gaps after a restart.
func recordLastRun(cluster string, b *v1alpha1.Backup, runs []v1alpha1.BackupRun) {
	for _, run := range newestFirst(runs) {
		if run.Status.Duration == nil || run.Status.SnapshotID == "" {
			continue
		}
		values := []string{cluster, b.Namespace, b.Name}
		lastDuration.WithLabelValues(values...).Set(run.Status.Duration.Seconds())
		lastBytes.WithLabelValues(values...).Set(float64(run.Status.Totals.Bytes))
		lastStoredBytes.WithLabelValues(values...).Set(float64(run.Status.Totals.StoredBytes))
		return
	}
}

// recordRun counts an attempt that did not end well.
func recordRun(cluster string, run *v1alpha1.BackupRun) {
	again := run.Status.Phase == v1alpha1.RunPending && run.Status.NextAttempt != nil
	if again || run.Status.Phase == v1alpha1.RunFailed || run.Status.Phase == v1alpha1.RunPartiallyFailed {
		failures.WithLabelValues(cluster, run.Namespace, run.Spec.BackupRef.Name).Inc()
	}
}

func forgetBackup(cluster, namespace, name string) {
	forget(prometheus.Labels{"cluster": cluster, "namespace": namespace, "backup": name})
}

// forgetBackups drops what is known of a cluster's Backups, which somebody else
// tells from now on.
func forgetBackups(cluster string) {
	forget(prometheus.Labels{"cluster": cluster})
}

func forgetCluster(cluster string) {
	forgetBackups(cluster)
	leading.DeleteLabelValues(cluster)
	recordBlocked(cluster, nil)
}

func forget(of prometheus.Labels) {
	for _, vec := range []*prometheus.GaugeVec{lastSuccess, objectiveSeconds, objectiveFrom, lastDuration, lastBytes, lastStoredBytes} {
		vec.DeletePartialMatch(of)
	}
	failures.DeletePartialMatch(of)
}
